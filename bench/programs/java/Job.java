import java.util.HashMap;
import java.util.Map;

/** What a program is told on its command line: name=value. */
final class Job {
    private final Map<String, String> told = new HashMap<>();

    Job(String[] arguments) {
        for (String argument : arguments) {
            int at = argument.indexOf('=');
            told.put(argument.substring(0, at), argument.substring(at + 1));
        }
    }

    String text(String name) {
        String value = told.get(name);
        if (value == null) {
            throw new IllegalArgumentException("not told: " + name);
        }
        return value;
    }

    int number(String name) {
        return Integer.parseInt(text(name));
    }

    boolean exactlyOnce() {
        return text("guarantee").equals("exactly_once");
    }

    /** What is told with a prefix, without it: Kafka's own properties. */
    Map<String, String> properties(String prefix) {
        Map<String, String> found = new HashMap<>();
        told.forEach((name, value) -> {
            if (name.startsWith(prefix)) {
                found.put(name.substring(prefix.length()), value);
            }
        });
        return found;
    }
}
