import java.io.IOException;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;

/** A pick-up with what the model is given of it. */
record Trip(
        String uuid, long pickupAt, int pickup, int dropoff, long dayOfWeek, long hourOfDay,
        double dayOfYear, double passengers, double distanceKm, String borough) {

    static Trip read(BinaryDecoder in, Zones zones) throws IOException {
        String uuid = in.readString();
        long pickupAt = in.readLong();
        LocalDateTime local = LocalDateTime.ofEpochSecond(
                Math.floorDiv(in.readLong(), 1_000_000L), 0, ZoneOffset.UTC);
        int pickup = (int) in.readLong();
        int dropoff = (int) in.readLong();
        if (pickup < 1 || pickup > Zones.LAST || dropoff < 1 || dropoff > Zones.LAST) {
            throw new IllegalArgumentException("unknown zone: " + pickup + " or " + dropoff);
        }
        double passengers = in.readIndex() == 0 ? 1.0 : in.readLong();
        return new Trip(
                uuid, pickupAt, pickup, dropoff,
                local.getDayOfWeek().getValue(), local.getHour(), local.getDayOfYear(),
                passengers, zones.distanceKm(pickup, dropoff), zones.borough(pickup));
    }

    void writePrediction(BinaryEncoder out, String version, double answer, int partition,
            long offset) throws IOException {
        out.writeString(uuid);
        out.writeDouble(answer);
        out.writeString(version);
        out.writeString("champion");
        out.writeLong(pickupAt);
        out.writeString(borough);
        out.writeInt(partition);
        out.writeLong(offset);
        out.writeLong(dayOfWeek);
        out.writeLong(hourOfDay);
        out.writeLong(pickup);
        out.writeLong(dropoff);
        out.writeDouble(dayOfYear);
        out.writeDouble(passengers);
        out.writeDouble(distanceKm);
    }
}
