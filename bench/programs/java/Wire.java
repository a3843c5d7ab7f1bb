import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/** Values in the Confluent wire format; one instance serves one thread. */
final class Wire {
    private static final int HEADER = 5;

    interface Fields {
        void write(BinaryEncoder encoder) throws IOException;
    }

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
    private BinaryDecoder decoder;
    private BinaryEncoder encoder;

    /** The datum in a value of this schema. */
    BinaryDecoder datum(byte[] value, int schemaId) {
        if (value[0] != 0 || ByteBuffer.wrap(value).getInt(1) != schemaId) {
            throw new IllegalArgumentException("another schema than " + schemaId);
        }
        decoder = DecoderFactory.get()
                .binaryDecoder(value, HEADER, value.length - HEADER, decoder);
        return decoder;
    }

    /** A value of this schema. */
    byte[] value(int schemaId, Fields fields) throws IOException {
        bytes.reset();
        bytes.write(0);
        for (int shift = 24; shift >= 0; shift -= 8) {
            bytes.write(schemaId >>> shift);
        }
        encoder = EncoderFactory.get().directBinaryEncoder(bytes, encoder);
        fields.write(encoder);
        encoder.flush();
        return bytes.toByteArray();
    }
}
