// Prints the field lists of Kafka's own message classes, read by reflection from its jars, in the plain
// text form that `kafka_schema_dump` prints for src/kafka/messages (see README.md). Usage:
//   java -cp 'LIBS/*' DumpSchemas.java ProduceRequest ProduceResponse ...
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.util.*;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageSizeAccumulator;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.*;
import org.apache.kafka.common.protocol.types.Field;

public class DumpSchemas {
  static final String[] PACKAGES = {
    "org.apache.kafka.common.message.", "org.apache.kafka.coordinator.group.generated."
  };

  final String name;
  final Class<?> root;
  final short lowest, highest;
  final Map<Schema, Class<?>> classes = new IdentityHashMap<>();
  final Map<String, Class<?>> structs = new LinkedHashMap<>();
  final TreeSet<String> facts = new TreeSet<>();

  DumpSchemas(String name) throws Exception {
    this.name = name;
    root = find(name);
    lowest = root.getField("LOWEST_SUPPORTED_VERSION").getShort(null);
    highest = stableHighest();
    remember(root);
    for (Class<?> nested : root.getClasses()) remember(nested);
  }

  static Class<?> find(String name) throws ClassNotFoundException {
    for (String prefix : PACKAGES)
      for (String suffix : new String[] {"Data", ""})
        try {
          Class<?> found = Class.forName(prefix + name + suffix);
          if (Message.class.isAssignableFrom(found)) return found;
        } catch (ClassNotFoundException e) {
          continue;
        }
    throw new ClassNotFoundException(name);
  }

  ApiMessageType api() {
    for (ApiMessageType type : ApiMessageType.values())
      if (name.equals(type.name + "Request") || name.equals(type.name + "Response")) return type;
    return null;
  }

  // Versions that the broker hides unless it is told otherwise are left out.
  short stableHighest() throws Exception {
    ApiMessageType api = api();
    if (api != null) return api.highestSupportedVersion(false);
    return root.getField("HIGHEST_SUPPORTED_VERSION").getShort(null);
  }

  void remember(Class<?> type) throws Exception {
    for (short v = lowest; v <= highest; v++) {
      Schema schema = schemaOf(type, v);
      if (schema != null) classes.putIfAbsent(schema, type);
    }
  }

  Schema schemaOf(Class<?> type, int version) throws Exception {
    try {
      return (Schema) type.getField("SCHEMA_" + version).get(null);
    } catch (NoSuchFieldException e) {
      return null;
    }
  }

  static boolean flexible(Schema schema) {
    BoundField[] fields = schema.fields();
    return fields.length > 0 && fields[fields.length - 1].def.type instanceof TaggedFields;
  }

  void run() throws Exception {
    String first = "none";
    for (int v = highest; v >= lowest; v--) if (flexible(schemaOf(root, v))) first = "" + v;
    ApiMessageType api = api();
    System.out.printf("message %s key=%s versions=%d-%d flexible=%s%n", name,
        api == null ? "none" : "" + api.apiKey(), lowest, highest, first);
    for (int v = lowest; v <= highest; v++) walk(schemaOf(root, v), "", v);
    structs.put("", root);
    for (var entry : structs.entrySet()) describe(entry.getKey(), entry.getValue());
    facts.forEach(System.out::println);
  }

  void walk(Schema schema, String prefix, int v) {
    for (BoundField field : schema.fields()) {
      if (field.def.type instanceof TaggedFields tagged)
        for (var entry : tagged.fields().entrySet())
          field(entry.getValue(), prefix, v, " tag=" + entry.getKey());
      else field(field.def, prefix, v, "");
    }
  }

  void field(Field field, String prefix, int v, String tag) {
    String path = prefix + field.name, kind, compact = "";
    Type type = field.type, element = null;
    boolean nullable = type.isNullable();
    if (type instanceof ArrayOf array) element = array.arrayElementType().get();
    if (type instanceof CompactArrayOf array) element = array.arrayElementType().get();
    if (element != null) {
      path += "[]";
      if (type instanceof CompactArrayOf) compact = " compact";
      kind = element instanceof Schema ? "struct" : kindOf(element);
      if (isCompact(element)) compact += "+";
    } else {
      kind = type instanceof Schema ? "struct" : kindOf(type);
      if (isCompact(type)) compact = " compact";
    }
    System.out.printf("field %s v%d %s %s%s%s%s%n", name, v, path, kind, nullable ? " nullable" : "", compact, tag);
    Schema inner = element instanceof Schema s ? s : type instanceof Schema s ? s : null;
    if (inner != null) {
      structs.put(path + ".", classOf(inner));
      walk(inner, path + ".", v);
    }
  }

  // A nullable struct's schema is a copy that shares its field definitions with the original.
  Class<?> classOf(Schema schema) {
    Class<?> found = classes.get(schema);
    for (var entry : classes.entrySet())
      if (found == null && entry.getKey().fields().length == schema.fields().length
          && entry.getKey().fields()[0].def == schema.fields()[0].def) found = entry.getValue();
    return found;
  }

  static boolean isCompact(Type type) {
    return !(type instanceof Schema) && type.toString().startsWith("COMPACT_");
  }

  static String kindOf(Type type) {
    return type.toString().replace("COMPACT_", "").replace("NULLABLE_", "").toLowerCase();
  }

  static String snake(String camel) {
    return camel.replaceAll("([A-Z])", "_$1").toLowerCase();
  }

  // Struct names, defaults, and which fields may not be dropped silently by versions that lack them.
  void describe(String path, Class<?> type) throws Exception {
    if (!path.isEmpty()) facts.add("struct " + name + " " + path + " " + type.getSimpleName());
    Object fresh = type.getConstructor().newInstance();
    for (java.lang.reflect.Field member : type.getDeclaredFields()) {
      if (Modifier.isStatic(member.getModifiers()) || member.getName().startsWith("_")) continue;
      if (member.getName().equals("next") || member.getName().equals("prev")) continue;
      if (!inSomeVersion(type, snake(member.getName()))) continue;
      member.setAccessible(true);
      Object value = member.get(fresh);
      String field = path + snake(member.getName());
      if (value instanceof Number || value instanceof Boolean)
        facts.add("default " + name + " " + field + " " + value);
      else if (value instanceof String text && !text.isEmpty())
        facts.add("default " + name + " " + field + " " + text);
      if (refusedSomewhere(type, member)) facts.add("strict " + name + " " + field);
    }
  }

  boolean refusedSomewhere(Class<?> type, java.lang.reflect.Field member) throws Exception {
    for (short v = lowest; v <= highest; v++) {
      Schema schema = schemaOf(type, v);
      if (schema == null || has(schema, snake(member.getName()))) continue;
      Message message = (Message) type.getConstructor().newInstance();
      member.set(message, other(member, member.get(message)));
      ObjectSerializationCache cache = new ObjectSerializationCache();
      try {
        message.addSize(new MessageSizeAccumulator(), cache, v);
        message.write(new ByteBufferAccessor(ByteBuffer.allocate(4096)), cache, v);
      } catch (UnsupportedVersionException e) {
        if (e.getMessage().contains("non-default")) return true;
      } catch (RuntimeException e) {
        continue;  // a null elsewhere: says nothing about this field
      }
    }
    return false;
  }

  boolean inSomeVersion(Class<?> type, String field) throws Exception {
    for (short v = lowest; v <= highest; v++) {
      Schema schema = schemaOf(type, v);
      if (schema != null && has(schema, field)) return true;
    }
    return false;
  }

  static boolean has(Schema schema, String field) {
    for (BoundField each : schema.fields()) {
      if (each.def.name.equals(field)) return true;
      if (each.def.type instanceof TaggedFields tagged)
        for (Field inner : tagged.fields().values()) if (inner.name.equals(field)) return true;
    }
    return false;
  }

  // A value of the member's type that is not `value`.
  Object other(java.lang.reflect.Field member, Object value) throws Exception {
    Class<?> type = member.getType();
    if (type == boolean.class) return !(Boolean) value;
    if (type == byte.class) return (byte) ((Byte) value + 7);
    if (type == short.class) return (short) ((Short) value + 7);
    if (type == int.class) return (Integer) value + 7;
    if (type == long.class) return (Long) value + 7;
    if (type == double.class) return (Double) value + 7;
    if (type == String.class) return "other";
    if (type == byte[].class) return new byte[] {7};
    if (type == ByteBuffer.class) return ByteBuffer.wrap(new byte[] {7});
    if (type == org.apache.kafka.common.Uuid.class) return new org.apache.kafka.common.Uuid(7, 7);
    if (Collection.class.isAssignableFrom(type)) {
      Maker element = elementOf(member);
      Collection<Object> list = fill(type);
      list.add(element.make());
      return list;
    }
    return type.getConstructor().newInstance();
  }

  interface Maker {
    Object make() throws Exception;
  }

  @SuppressWarnings("unchecked")
  static Collection<Object> fill(Class<?> type) throws Exception {
    return type == List.class ? new ArrayList<>() : (Collection<Object>) type.getConstructor().newInstance();
  }

  static Maker elementOf(java.lang.reflect.Field member) {
    java.lang.reflect.Type generic = member.getGenericType();
    if (!(generic instanceof ParameterizedType)) generic = member.getType().getGenericSuperclass();
    Class<?> element = (Class<?>) ((ParameterizedType) generic).getActualTypeArguments()[0];
    if (element == Integer.class) return () -> 7;
    if (element == Long.class) return () -> 7L;
    if (element == Short.class) return () -> (short) 7;
    if (element == Byte.class) return () -> (byte) 7;
    if (element == String.class) return () -> "other";
    if (element == org.apache.kafka.common.Uuid.class) return () -> new org.apache.kafka.common.Uuid(7, 7);
    return () -> element.getConstructor().newInstance();
  }

  public static void main(String[] names) throws Exception {
    for (String name : names) new DumpSchemas(name).run();
  }
}
