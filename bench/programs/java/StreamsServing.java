import ai.onnxruntime.OrtException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** Kafka Streams: a prediction a record. */
final class StreamsServing {
    public static void main(String[] arguments) throws Exception {
        Job job = new Job(arguments);
        Zones zones = new Zones(Path.of(job.text("zones")));
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(job.text("input"), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .processValues(() -> new Predict(job, zones))
                .to(job.text("output"), Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
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

    private static final class Predict implements FixedKeyProcessor<byte[], byte[], byte[]> {
        private final int eventId;
        private final int predictionId;
        private final String version;
        private final Zones zones;
        private final Model model;
        private final Wire wire = new Wire();
        private FixedKeyProcessorContext<byte[], byte[]> context;

        Predict(Job job, Zones zones) {
            this.zones = zones;
            eventId = job.number("event_id");
            predictionId = job.number("prediction_id");
            version = job.text("version");
            try {
                model = new Model(job.text("onnx"), 1);
            } catch (OrtException e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        public void init(FixedKeyProcessorContext<byte[], byte[]> context) {
            this.context = context;
        }

        @Override
        public void process(FixedKeyRecord<byte[], byte[]> record) {
            try {
                Trip trip = Trip.read(wire.datum(record.value(), eventId), zones);
                float answer = model.predict(List.of(trip))[0];
                RecordMetadata read = context.recordMetadata().orElseThrow();
                context.forward(record.withValue(wire.value(predictionId, out ->
                        trip.writePrediction(
                        out, version, answer, read.partition(), read.offset()))));
            } catch (OrtException e) {
                throw new IllegalStateException(e);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
