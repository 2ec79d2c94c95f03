/** The .safetensors format, written by hand so that tests can also write invalid files. */

/** A tensor as described in the header. */
export interface SafeTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/** A file with any header and these bytes of data. */
export function safetensorsFile(
  header: string | Uint8Array,
  data: Uint8Array = new Uint8Array(0),
  length?: bigint,
): Buffer {
  const text = Buffer.from(header);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(length ?? BigInt(text.byteLength));
  return Buffer.concat([size, text, data]);
}

/** The bytes of a .safetensors file with these tensors in order. */
export function safetensorsOf(tensors: Readonly<Record<string, SafeTensor>>): Buffer {
  let at = 0;
  const entries = Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
    const start = at;
    at += data.byteLength;
    return [name, { dtype, shape, data_offsets: [start, at] }];
  });
  const parts = Object.values(tensors).map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return safetensorsFile(JSON.stringify(Object.fromEntries(entries)), Buffer.concat(parts));
}
