/** Protobuf encoded by hand, for files that no library would write. */

/** A varint; negative numbers as 64-bit two's complement. */
export function varint(value: bigint | number): Uint8Array {
  let left = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  do {
    const low = Number(left & 0x7fn);
    left >>= 7n;
    bytes.push(left > 0n ? low | 0x80 : low);
  } while (left > 0n);
  return Uint8Array.from(bytes);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

export function int(number: number, value: bigint | number): Uint8Array {
  return concat(varint(number * 8), varint(value));
}

/** A length-delimited field: text, bytes or the fields of a message. */
export function field(number: number, ...payload: readonly (Uint8Array | string)[]): Uint8Array {
  const bytes = concat(...payload.map((one) => (typeof one === 'string' ? new TextEncoder().encode(one) : one)));
  return concat(varint(number * 8 + 2), varint(bytes.length), bytes);
}

export function fixed32(number: number, value: number): Uint8Array {
  return concat(varint(number * 8 + 5), new Uint8Array(Uint32Array.of(value).buffer));
}

export function fixed64(number: number, value: bigint): Uint8Array {
  return concat(varint(number * 8 + 1), new Uint8Array(BigUint64Array.of(value).buffer));
}

export function group(number: number, ...fields: readonly Uint8Array[]): Uint8Array {
  return concat(varint(number * 8 + 3), ...fields, varint(number * 8 + 4));
}

/** ir_version 10, opset 21, and a graph of these fields. */
export function modelBytes(...graph: readonly Uint8Array[]): Uint8Array {
  return concat(int(1, 10), field(8, field(1, ''), int(2, 21)), field(7, ...graph));
}

/** Fields of a TensorProto: dims, data type, name, and any others. */
export function tensorBytes(
  name: string,
  dataType: number,
  dims: readonly (number | bigint)[],
  ...rest: readonly Uint8Array[]
): Uint8Array {
  return concat(...dims.map((dim) => int(1, dim)), int(2, dataType), field(8, name), ...rest);
}

/** One of each kind of field, under numbers that ONNX does not use. */
export function unknownFields(salt: number): Uint8Array {
  return concat(
    int(1000, salt),
    field(1001, `unknown ${salt}`),
    fixed32(1002, salt),
    fixed64(1003, BigInt(salt)),
    group(1004, int(1, salt), group(2, field(3, 'inner'))),
    int(536870911, salt),
  );
}
