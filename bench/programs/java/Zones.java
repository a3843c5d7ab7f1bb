import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The city's zones by number: borough and centroid. */
final class Zones {
    static final int LAST = 265;
    private final String[] boroughs = new String[LAST + 1];
    private final double[] eastKm = new double[LAST + 1];
    private final double[] northKm = new double[LAST + 1];

    Zones(Path file) throws IOException {
        List<String> lines = Files.readAllLines(file);
        for (String line : lines.subList(1, lines.size())) {
            String[] fields = line.split(",");
            int zone = Integer.parseInt(fields[0]);
            boroughs[zone] = fields[1];
            eastKm[zone] = Double.parseDouble(fields[2]);
            northKm[zone] = Double.parseDouble(fields[3]);
        }
    }

    String borough(int zone) {
        return boroughs[zone] == null ? "Unknown" : boroughs[zone];
    }

    double distanceKm(int pickup, int dropoff) {
        if (boroughs[pickup] == null || boroughs[dropoff] == null) {
            return -1.0;
        }
        double east = eastKm[pickup] - eastKm[dropoff];
        double north = northKm[pickup] - northKm[dropoff];
        return Math.sqrt(east * east + north * north);
    }
}
