import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Properties;
import org.apache.avro.io.BinaryDecoder;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowBytesStoreSupplier;

/** Kafka Streams: predictions joined with the outcomes that follow them within the wait. */
final class StreamsScoring {
    private static final Duration WAIT = Duration.ofHours(3);
    private static final Duration GRACE = Duration.ofHours(1);
    private static final double MICROS_PER_MINUTE = 60e6;
    private static final double SHORTEST = 1.0;
    private static final double LONGEST = 180.0;
    private static final ThreadLocal<Wire> WIRE = ThreadLocal.withInitial(Wire::new);

    public static void main(String[] arguments) {
        Job job = new Job(arguments);
        Serde<byte[]> bytes = Serdes.ByteArray();
        StreamsBuilder builder = new StreamsBuilder();
        KStream<byte[], byte[]> predictions = builder.stream(job.text("predictions"),
                Consumed.with(bytes, bytes).withTimestampExtractor(at(StreamsScoring::eventTime)));
        KStream<byte[], byte[]> outcomes = builder.stream(job.text("outcomes"),
                Consumed.with(bytes, bytes).withTimestampExtractor(at(StreamsScoring::outcomeTime)));
        JoinWindows wait =
                JoinWindows.ofTimeDifferenceAndGrace(Duration.ZERO, GRACE).after(WAIT);
        int scoredId = job.number("scored_id");
        predictions
                .join(outcomes, (prediction, outcome) -> scored(prediction, outcome, scoredId), wait,
                        StreamJoined.with(bytes, bytes, bytes)
                                .withThisStoreSupplier(store("predictions"))
                                .withOtherStoreSupplier(store("outcomes")))
                .filter((key, scored) -> scored != null)
                .to(job.text("output"), Produced.with(bytes, bytes));
        Properties properties = new Properties();
        properties.putAll(job.properties("streams."));
        KafkaStreams streams = new KafkaStreams(builder.build(properties), properties);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        Runtime.getRuntime().addShutdownHook(
                new Thread(() -> streams.close(Duration.ofSeconds(20))));
        streams.start();
    }

    private static WindowBytesStoreSupplier store(String name) {
        return Stores.inMemoryWindowStore(name, WAIT.plus(GRACE), WAIT, true);
    }

    private interface Micros {
        long of(BinaryDecoder datum) throws IOException;
    }

    private static TimestampExtractor at(Micros micros) {
        return (record, before) -> {
            try {
                return micros.of(datum((byte[]) record.value())) / 1000;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        };
    }

    private static long eventTime(BinaryDecoder prediction) throws IOException {
        prediction.skipString();
        prediction.readDouble();
        prediction.skipString();
        prediction.skipString();
        return prediction.readLong();
    }

    private static long outcomeTime(BinaryDecoder outcome) throws IOException {
        outcome.skipString();
        return outcome.readLong();
    }

    private static BinaryDecoder datum(byte[] value) {
        return WIRE.get().datum(value, ByteBuffer.wrap(value).getInt(1));
    }

    /** The scored prediction, or null where the outcome does not count. */
    private static byte[] scored(byte[] prediction, byte[] outcome, int scoredId) {
        try {
            long outcomeTime = outcomeTime(datum(outcome));
            BinaryDecoder in = datum(prediction);
            String uuid = in.readString();
            double predicted = in.readDouble();
            String version = in.readString();
            String role = in.readString();
            long eventTime = in.readLong();
            String segment = in.readString();
            in.readInt();
            in.readLong();
            // What is left is the features, which are written as they were read.
            byte[] features = in.inputStream().readAllBytes();
            double minutes = (outcomeTime - eventTime) / MICROS_PER_MINUTE;
            if (minutes < SHORTEST || minutes > LONGEST) {
                return null;
            }
            return WIRE.get().value(scoredId, out -> {
                out.writeString(uuid);
                out.writeString(version);
                out.writeString(role);
                out.writeLong(eventTime);
                out.writeLong(outcomeTime);
                out.writeDouble(predicted);
                out.writeDouble(minutes);
                out.writeDouble(predicted - minutes);
                out.writeString(segment);
                out.writeFixed(features);
            });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
