import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The model in ONNX Runtime, on one thread that does not spin; one instance serves one thread. */
final class Model {
    private static final List<String> INTEGERS =
            List.of("day_of_week", "hour_of_day", "pickup_zone", "dropoff_zone");
    private static final List<String> FLOATS =
            List.of("day_of_year", "passenger_count", "distance_km");

    private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
    private final OrtSession session;
    private final LongBuffer[] integers = new LongBuffer[INTEGERS.size()];
    private final FloatBuffer[] floats = new FloatBuffer[FLOATS.size()];
    private final Map<String, OnnxTensor> inputs = new HashMap<>();
    private int rows = -1;

    Model(String path, int most) throws OrtException {
        OrtSession.SessionOptions options = new OrtSession.SessionOptions();
        options.setIntraOpNumThreads(1);
        options.setInterOpNumThreads(1);
        options.addConfigEntry("session.intra_op.allow_spinning", "0");
        session = environment.createSession(path, options);
        for (int i = 0; i < integers.length; i++) {
            integers[i] = bytes(most * Long.BYTES).asLongBuffer();
        }
        for (int i = 0; i < floats.length; i++) {
            floats[i] = bytes(most * Float.BYTES).asFloatBuffer();
        }
    }

    /** One prediction a trip. */
    float[] predict(List<Trip> trips) throws OrtException {
        for (int i = 0; i < trips.size(); i++) {
            Trip trip = trips.get(i);
            integers[0].put(i, trip.dayOfWeek());
            integers[1].put(i, trip.hourOfDay());
            integers[2].put(i, trip.pickup());
            integers[3].put(i, trip.dropoff());
            floats[0].put(i, (float) trip.dayOfYear());
            floats[1].put(i, (float) trip.passengers());
            floats[2].put(i, (float) trip.distanceKm());
        }
        shape(trips.size());
        try (OrtSession.Result result = session.run(inputs)) {
            return (float[]) result.get(0).getValue();
        }
    }

    /** Tensors lie over the buffers: they are made anew only when the number of rows changes. */
    private void shape(int wanted) throws OrtException {
        if (rows == wanted) {
            return;
        }
        inputs.values().forEach(OnnxTensor::close);
        inputs.clear();
        long[] shape = {wanted};
        for (int i = 0; i < integers.length; i++) {
            integers[i].position(0).limit(wanted);
            inputs.put(INTEGERS.get(i), OnnxTensor.createTensor(environment, integers[i], shape));
            integers[i].clear();
        }
        for (int i = 0; i < floats.length; i++) {
            floats[i].position(0).limit(wanted);
            inputs.put(FLOATS.get(i), OnnxTensor.createTensor(environment, floats[i], shape));
            floats[i].clear();
        }
        rows = wanted;
    }

    private static ByteBuffer bytes(int size) {
        return ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
    }
}
