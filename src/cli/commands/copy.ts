import { COPY, type CopyValues } from '../../options/copy.ts';
import type { Command } from '../command.ts';
import { runVerb } from '../passes.ts';
import type { Run } from '../run.ts';
import { examples } from '../usage.ts';

/** `onnx-compress copy`: reads and writes a model without changing what it computes. */
export function copyCommand(run: Run): Command<CopyValues> {
  return {
    verb: 'copy',
    table: COPY,
    usage: [
      'onnx-compress copy [model.onnx|-] [-o out.onnx|-] [options]',
      '',
      'Copies a model byte for byte. Options move its weights to or from a data file, make inputs constant, and store',
      'equal tensors once.',
    ],
    epilog: [
      examples([
        ['an identical copy', 'onnx-compress copy model.onnx -o copy.onnx'],
        ['move the weights to m.onnx.data', 'onnx-compress copy --external-data model.onnx -o m.onnx'],
        ['fix the sample rate', 'onnx-compress copy --set sr=16000 silero_vad.onnx -o vad.onnx'],
        ['store equal tensors once', 'onnx-compress copy --dedupe model.onnx -o smaller.onnx'],
        ['move external data into the model file', 'onnx-compress copy --embed model.onnx -o m.onnx'],
      ]),
    ],
    run: (values) => runVerb(run, 'copy', values),
  };
}
