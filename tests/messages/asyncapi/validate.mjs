// Parses an AsyncAPI document with AsyncAPI's own parser; prints what it found, as JSON.
import { readFile } from "node:fs/promises";
import { AvroSchemaParser } from "@asyncapi/avro-schema-parser";
import { Parser } from "@asyncapi/parser";

const parser = new Parser({ schemaParsers: [AvroSchemaParser()] });
const source = await readFile(process.argv[2], "utf8");
const { document, diagnostics } = await parser.parse(source);

const channels = document?.channels().all() ?? [];
console.log(
  JSON.stringify({
    problems: diagnostics.map(({ code, message, path, severity }) => ({
      code,
      message,
      severity,
      path: path.join("."),
    })),
    channels: channels.map((channel) => ({
      address: channel.address(),
      partitions: channel.bindings().get("kafka")?.value().partitions,
      operations: channel.operations().all().map((operation) => operation.action()),
      messages: channel.messages().all().map((message) => ({
        name: message.name(),
        fields: Object.keys(message.payload()?.properties() ?? {}),
      })),
    })),
  }),
);
