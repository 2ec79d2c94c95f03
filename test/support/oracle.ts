/** Compares our reading of a file with onnx-proto, which shares no code with our reader and writer. */
import { expect } from '@jest/globals';
import onnxProto, { type onnx as onnxTypes } from 'onnx-proto';
import { bitsOf, DTYPES, type DType, dtypeNumber } from '../../src/ir/dtype.ts';
import type { Graph } from '../../src/ir/graph.ts';
import type { Model } from '../../src/ir/model.ts';
import type { Attribute } from '../../src/ir/node.ts';
import type { Tensor } from '../../src/ir/tensor.ts';

const { onnx } = onnxProto;

/**
 * Fails unless onnx-proto decodes the file to the same model: versions, nodes with their attributes, inputs, outputs,
 * and every initializer with its bytes (external ones without).
 */
export async function expectSame(file: Uint8Array, model: Model): Promise<void> {
  const decoded = onnx.ModelProto.decode(file);
  expect(Number(decoded.irVersion)).toBe(model.irVersion);
  expect(decoded.opsetImport.map((one) => [one.domain ?? '', Number(one.version)])).toEqual(
    model.opsets.map((one) => [one.domain, one.version]),
  );
  await sameGraph(decoded.graph ?? {}, model.graph);
}

async function sameGraph(theirs: onnxTypes.IGraphProto, ours: Graph): Promise<void> {
  const names = (list: readonly { name?: string | null }[] | null | undefined): string[] =>
    (list ?? []).map((one) => one.name ?? '');
  expect(names(theirs.input)).toEqual(ours.inputs.map((one) => one.name));
  expect(names(theirs.output)).toEqual(ours.outputs.map((one) => one.name));
  expect(names(theirs.valueInfo)).toEqual(ours.valueInfo.map((one) => one.name));
  const plain = (theirs.node ?? []).map((node) => ({
    name: node.name ?? '',
    opType: node.opType ?? '',
    domain: node.domain ?? '',
    inputs: node.input ?? [],
    outputs: node.output ?? [],
    attributes: names(node.attribute),
  }));
  expect(plain).toEqual(
    ours.nodes.map(({ name, opType, domain, inputs, outputs, attributes }) => {
      return { name, opType, domain, inputs, outputs, attributes: attributes.map((one) => one.name) };
    }),
  );
  for (const [index, node] of ours.nodes.entries()) {
    const attributes = theirs.node?.[index]?.attribute ?? [];
    for (const [at, one] of node.attributes.entries()) await sameAttribute(attributes[at] ?? {}, one);
  }
  expect(names(theirs.initializer)).toEqual([...ours.initializers.keys()]);
  for (const one of theirs.initializer ?? []) {
    await sameTensor(one, ours.initializers.get(one.name ?? '') as Tensor);
  }
}

async function sameAttribute(theirs: onnxTypes.IAttributeProto, ours: Attribute): Promise<void> {
  switch (ours.type) {
    case 'float':
      return expect(theirs.f).toBe(ours.value);
    case 'int':
      return expect(BigInt(String(theirs.i))).toBe(ours.value);
    case 'string':
      return expect(Buffer.from(theirs.s ?? []).toString()).toBe(ours.value);
    case 'floats':
      return expect(theirs.floats ?? []).toEqual(ours.value);
    case 'ints':
      return expect((theirs.ints ?? []).map((one) => BigInt(String(one)))).toEqual(ours.value);
    case 'strings':
      return expect((theirs.strings ?? []).map((one) => Buffer.from(one).toString())).toEqual(ours.value);
    case 'tensor':
      return sameTensor(theirs.t ?? {}, ours.value);
    case 'graph':
      return sameGraph(theirs.g ?? {}, ours.value);
    case 'graphs':
      for (const [index, body] of ours.value.entries()) await sameGraph(theirs.graphs?.[index] ?? {}, body);
      return;
    default:
      return;
  }
}

async function sameTensor(theirs: onnxTypes.ITensorProto, ours: Tensor): Promise<void> {
  expect((theirs.dims ?? []).map(Number)).toEqual(ours.dims);
  expect(theirs.dataType ?? 0).toBe(dtypeNumber(ours.dtype));
  if (theirs.dataLocation === 1 || ours.dtype === 'string') return;
  const bytes = Buffer.from(await ours.load());
  // toEqual on megabytes is slow; a mismatch is shown by length alone.
  if (!bytes.equals(dataOf(theirs))) throw new Error(`${ours.name}: the bytes differ (${bytes.length})`);
}

/** The elements of a decoded tensor as in raw_data. */
function dataOf(tensor: onnxTypes.ITensorProto): Uint8Array {
  if (tensor.rawData != null && tensor.rawData.length > 0) return tensor.rawData;
  const dtype = DTYPES[tensor.dataType ?? 0] as DType;
  const bytes = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  if (tensor.floatData?.length) return bytes(Float32Array.from(tensor.floatData));
  if (tensor.doubleData?.length) return bytes(Float64Array.from(tensor.doubleData));
  if (tensor.int64Data?.length) return bytes(BigInt64Array.from(tensor.int64Data, (one) => BigInt(String(one))));
  if (tensor.uint64Data?.length) {
    const values = tensor.uint64Data.map((one) => BigInt(String(one)));
    return bytes(dtype === 'uint32' ? Uint32Array.from(values, Number) : BigUint64Array.from(values));
  }
  const ints = tensor.int32Data ?? [];
  const bits = bitsOf(dtype);
  if (bits === 32) return bytes(Int32Array.from(ints));
  return bits === 16 ? bytes(Uint16Array.from(ints)) : Uint8Array.from(ints);
}
