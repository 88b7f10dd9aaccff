// Reads lines "NAME VERSION HEX" (from kafka_schema_dump --samples), decodes each with Kafka's own class, encodes it
// again, and fails unless the bytes are the same: what we write, Kafka reads in full and would write alike.
//   kafka_schema_dump --samples | java -cp 'LIBS/*' RoundTrip.java
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageSizeAccumulator;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

public class RoundTrip {
  static Class<?> find(String name) throws ClassNotFoundException {
    for (String prefix : new String[] {"org.apache.kafka.common.message.", "org.apache.kafka.coordinator.group.generated."})
      for (String suffix : new String[] {"Data", ""})
        try {
          Class<?> found = Class.forName(prefix + name + suffix);
          if (Message.class.isAssignableFrom(found)) return found;
        } catch (ClassNotFoundException e) {
          continue;
        }
    throw new ClassNotFoundException(name);
  }

  public static void main(String[] args) throws Exception {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    int good = 0, bad = 0;
    for (String line; (line = lines.readLine()) != null; ) {
      String[] words = (line + " ").split(" ", 3);
      short version = Short.parseShort(words[1]);
      String hex = words[2].trim(), back;
      try {
        Message message = (Message) find(words[0]).getConstructor().newInstance();
        ByteBuffer bytes = ByteBuffer.wrap(HexFormat.of().parseHex(hex));
        message.read(new ByteBufferAccessor(bytes), version);
        if (bytes.hasRemaining()) throw new IllegalStateException(bytes.remaining() + " bytes are left");
        ObjectSerializationCache cache = new ObjectSerializationCache();
        MessageSizeAccumulator size = new MessageSizeAccumulator();
        message.addSize(size, cache, version);
        ByteBuffer out = ByteBuffer.allocate(size.totalSize());
        message.write(new ByteBufferAccessor(out), cache, version);
        back = HexFormat.of().formatHex(out.array());
      } catch (RuntimeException e) {
        back = e.toString();
      }
      if (back.equals(hex)) {
        good++;
      } else if (++bad <= 10) {
        System.out.println(words[0] + " v" + version + "\n  ours  " + hex + "\n  kafka " + back);
      }
    }
    System.out.println("round trip: " + good + " messages alike, " + bad + " not");
    if (bad > 0 || good < 1000) System.exit(1);
  }
}
