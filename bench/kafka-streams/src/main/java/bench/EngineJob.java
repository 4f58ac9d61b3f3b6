package bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The engine job in Kafka Streams, exactly_once_v2: decode Avro, read the key's count and sum, write them to
 * the store and its changelog, emit one record. One stream thread, since the other contenders have one.
 *
 * <p>Arguments: servers, application id, input topic, output topic, state directory, directory of the
 * schemas, "cached" or "uncached", "rocksdb" or "memory", commit interval in milliseconds.
 */
public final class EngineJob {
  private static final String STORE = "totals";
  private static final long CACHE_BYTES = 64L << 20;

  private EngineJob() {}

  public static void main(String[] arguments) throws Exception {
    Path schemas = Path.of(arguments[5]);
    Schema event = read(schemas.resolve("event.avsc"));
    Schema total = read(schemas.resolve("total.avsc"));
    boolean cached = arguments[6].equals("cached");
    boolean memory = arguments[7].equals("memory");

    StoreBuilder<KeyValueStore<byte[], byte[]>> builder =
        Stores.keyValueStoreBuilder(
                memory ? Stores.inMemoryKeyValueStore(STORE) : Stores.persistentKeyValueStore(STORE),
                Serdes.ByteArray(),
                Serdes.ByteArray())
            .withLoggingEnabled(Map.of());
    // The store's cache holds back changelog records of a key until the commit.
    StoreBuilder<KeyValueStore<byte[], byte[]>> store =
        cached ? builder.withCachingEnabled() : builder.withCachingDisabled();

    Topology topology = new Topology();
    topology.addSource("in", arguments[2]);
    topology.addProcessor("add", () -> new Adding(event, total), "in");
    topology.addStateStore(store, "add");
    topology.addSink("out", arguments[3], "add");

    KafkaStreams streams = new KafkaStreams(topology, settings(arguments, cached));
    CountDownLatch over = new CountDownLatch(1);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          over.countDown();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close()));
    streams.start();
    over.await();
    System.exit(1);
  }

  private static Properties settings(String[] arguments, boolean cached) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, Long.parseLong(arguments[8]));
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, cached ? CACHE_BYTES : 0L);
    settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 20);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 1 << 20);
    return settings;
  }

  private static Schema read(Path path) throws IOException {
    return new Schema.Parser().parse(Files.readString(path, StandardCharsets.UTF_8));
  }

  /** Adds an amount to its key's total, and tells the new total. */
  private static final class Adding implements Processor<byte[], byte[], byte[], byte[]> {
    private final GenericDatumReader<GenericRecord> readEvent;
    private final GenericDatumReader<GenericRecord> readTotal;
    private final GenericDatumWriter<GenericRecord> writeTotal;
    private final Schema total;
    private final java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream(128);
    private BinaryDecoder decoder;
    private BinaryEncoder encoder;
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<byte[], byte[]> store;

    Adding(Schema event, Schema total) {
      this.total = total;
      this.readEvent = new GenericDatumReader<>(event);
      this.readTotal = new GenericDatumReader<>(total);
      this.writeTotal = new GenericDatumWriter<>(total);
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      this.context = context;
      this.store = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      try {
        decoder = DecoderFactory.get().binaryDecoder(record.value(), decoder);
        GenericRecord event = readEvent.read(null, decoder);
        byte[] kept = store.get(record.key());
        long count = 0;
        long sum = 0;
        if (kept != null) {
          decoder = DecoderFactory.get().binaryDecoder(kept, decoder);
          GenericRecord before = readTotal.read(null, decoder);
          count = (Long) before.get("count");
          sum = (Long) before.get("sum");
        }
        GenericRecord after = new GenericData.Record(total);
        after.put("customer", event.get("customer"));
        after.put("count", count + 1);
        after.put("sum", sum + (Long) event.get("amount"));
        bytes.reset();
        encoder = EncoderFactory.get().binaryEncoder(bytes, encoder);
        writeTotal.write(after, encoder);
        encoder.flush();
        byte[] value = bytes.toByteArray();
        store.put(record.key(), value);
        context.forward(new Record<>(record.key(), value, record.timestamp()));
      } catch (IOException error) {
        throw new java.io.UncheckedIOException(error);
      }
    }
  }
}
