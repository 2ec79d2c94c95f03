/** A large model that takes no disk space: its single weight is a hole in a sparse file. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import protobuf from 'protobufjs';

/** Writes a model with one MatMul whose float32 weight has about `byteLength` bytes, all zero. */
export function sparseModel(path: string, byteLength: number): void {
  const columns = 1000;
  const rows = Math.floor(byteLength / 4 / columns);
  const size = rows * columns * 4;
  const text = (writer: protobuf.Writer, field: number, value: string) => writer.uint32((field << 3) | 2).string(value);
  const node = protobuf.Writer.create();
  for (const name of ['x', 'w']) text(node, 1, name);
  text(text(node, 2, 'y'), 4, 'MatMul');
  const tensor = protobuf.Writer.create();
  for (const dim of [rows, columns]) tensor.uint32(8).int64(dim);
  tensor.uint32(16).int32(1);
  // raw_data comes last in the tensor, the tensor in the graph and the graph in the model: the hole ends the file.
  const tensorHead = text(tensor, 8, 'w').uint32(74).uint32(size).finish();
  const value = (name: string) => text(protobuf.Writer.create(), 1, name).finish();
  const graph = protobuf.Writer.create().uint32(10).bytes(node.finish());
  graph.uint32(90).bytes(value('x')).uint32(98).bytes(value('y'));
  const graphHead = graph
    .uint32(42)
    .uint32(tensorHead.length + size)
    .finish();
  const opset = protobuf.Writer.create().uint32(16).int64(17).finish();
  const model = protobuf.Writer.create().uint32(8).int64(8).uint32(66).bytes(opset);
  const modelHead = model
    .uint32(58)
    .uint32(graphHead.length + tensorHead.length + size)
    .finish();
  const head = Buffer.concat([modelHead, graphHead, tensorHead]);
  const file = openSync(path, 'wx');
  writeSync(file, head);
  ftruncateSync(file, head.length + size);
  closeSync(file);
}
