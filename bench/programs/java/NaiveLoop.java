import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The same work as a plain micro-batch loop; exactly once. */
final class NaiveLoop {
    private static volatile boolean running = true;

    public static void main(String[] arguments) throws Exception {
        Job job = new Job(arguments);
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            running = false;
            try {
                main.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
        int batch = job.number("batch");
        int eventId = job.number("event_id");
        int predictionId = job.number("prediction_id");
        String version = job.text("version");
        Zones zones = new Zones(Path.of(job.text("zones")));
        Model model = new Model(job.text("onnx"), batch);
        Wire wire = new Wire();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(reading(job, batch),
                    new ByteArrayDeserializer(), new ByteArrayDeserializer());
                KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(writing(job),
                    new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.initTransactions();
            consumer.subscribe(List.of(job.text("input")));
            while (running) {
                List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
                List<Trip> trips = new ArrayList<>();
                for (ConsumerRecord<byte[], byte[]> each : consumer.poll(Duration.ofMillis(100))) {
                    records.add(each);
                    trips.add(Trip.read(wire.datum(each.value(), eventId), zones));
                }
                if (trips.isEmpty()) {
                    continue;
                }
                float[] answers = model.predict(trips);
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                producer.beginTransaction();
                for (int i = 0; i < answers.length; i++) {
                    ConsumerRecord<byte[], byte[]> read = records.get(i);
                    Trip trip = trips.get(i);
                    float answer = answers[i];
                    byte[] value = wire.value(predictionId, out ->
                            trip.writePrediction(
                            out, version, answer, read.partition(), read.offset()));
                    producer.send(new ProducerRecord<>(job.text("output"), read.key(), value));
                    offsets.put(new TopicPartition(read.topic(), read.partition()),
                            new OffsetAndMetadata(read.offset() + 1));
                }
                producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                producer.commitTransaction();
            }
        }
    }

    private static Map<String, Object> reading(Job job, int batch) {
        return Map.of(
                "bootstrap.servers", job.text("bootstrap"),
                "group.id", job.text("group"),
                "isolation.level", "read_committed",
                "enable.auto.commit", "false",
                "auto.offset.reset", "earliest",
                "max.poll.records", batch,
                "max.partition.fetch.bytes", 10_485_760);
    }

    private static Map<String, Object> writing(Job job) {
        return Map.of(
                "bootstrap.servers", job.text("bootstrap"),
                "transactional.id", job.text("group"),
                "batch.size", 262_144,
                "linger.ms", 5,
                "buffer.memory", 134_217_728L);
    }
}
