import { CompressError } from '../../errors.ts';
import type { Model } from '../../ir/model.ts';
import { sameFiles } from '../../onnx/same.ts';
import { DIFF, type DiffValues } from '../../options/look.ts';
import { diff } from '../../passes/diff/index.ts';
import { DASH } from '../arguments.ts';
import type { Command } from '../command.ts';
import { renderDiff, renderMarkdown, titleOf } from '../diff/render.ts';
import { type Input, inputOf } from '../inspect/input.ts';
import { reportJson } from '../json/write.ts';
import type { Streams } from '../pipe.ts';
import { widthsOf } from '../text.ts';
import { examples } from '../usage.ts';

/**
 * `onnx-compress diff`: what changed between two models.
 * @param color - whether standard output may have colours
 */
export function diffCommand(streams: Pick<Streams, 'stdin' | 'stdout'>, color: boolean): Command<DiffValues> {
  return {
    verb: 'diff',
    table: DIFF,
    usage: [
      'onnx-compress diff before.onnx after.onnx [options]',
      '',
      'Shows what changed: opset, inputs, outputs, operators, nodes, and every weight with how far its values moved.',
    ],
    epilog: [
      examples([
        ['what did quantization do?', 'onnx-compress diff model.onnx small.onnx'],
        ['has the model changed?', 'onnx-compress diff --exit-code --quiet released.onnx model.onnx'],
        ['what would this verb do?', 'onnx-compress prune --l1 0.4 model.onnx | onnx-compress diff model.onnx -'],
        ['a comment on a pull request', 'onnx-compress diff --markdown main.onnx branch.onnx > comment.md'],
      ]),
    ],
    run: async (args) => {
      if (args.before === DASH && args.after === DASH) {
        throw new CompressError('options', 'diff', 'only one model can come from standard input', {
          hint: 'Give the path of the other.',
        });
      }
      const inputs = [await inputOf(args.before, streams), await inputOf(args.after, streams)] as const;
      try {
        await compare(inputs, args, color, streams);
      } finally {
        for (const input of inputs) await input.close();
      }
    },
  };
}

async function compare(
  [one, other]: readonly [Input, Input],
  args: DiffValues,
  color: boolean,
  { stdout }: Pick<Streams, 'stdout'>,
): Promise<void> {
  const models: Model[] = [];
  try {
    const before = await one.open();
    models.push(before);
    const after = await other.open();
    models.push(after);
    const found = await diff(before, after);
    // If nothing that is compared differs, the files may be equal byte for byte.
    const identical = found.same && (await sameFiles(before, after));
    for (const input of [one, other]) await input.unchanged();
    const title = titleOf(one.label, other.label);
    if (args.json) {
      reportJson(stdout, { before: one.label, after: other.label, identical, ...found });
    } else if (args.markdown) stdout.write(renderMarkdown(title, found, identical));
    else if (!args.quiet) {
      stdout.write(renderDiff(title, found, identical, { color, verbose: args.verbose === true, ...widthsOf(stdout) }));
    }
    if (args.exitCode && !found.same) process.exitCode = 1;
  } finally {
    for (const model of models) await model.close();
  }
}
