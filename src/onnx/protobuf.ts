import protobuf from 'protobufjs/minimal.js';

const shared = protobuf.Writer.create();

/**
 * The shared writer. It must be finished before it is requested again; a new one each time would leave a kilobyte of
 * garbage.
 */
export function writer(): protobuf.Writer {
  return shared.reset();
}

/** Appends 64-bit varints; protobufjs takes them as two halves. */
export function varints(writer: protobuf.Writer, values: readonly bigint[]): protobuf.Writer {
  for (const value of values) {
    const bits = BigInt.asUintN(64, value);
    writer.uint64({ low: Number(bits & 0xffffffffn) | 0, high: Number(bits >> 32n) | 0, unsigned: true } as never);
  }
  return writer;
}

/** A field's tag: its number and wire type. */
export function tag(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0;
}
