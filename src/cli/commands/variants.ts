import { CompressError } from '../../errors.ts';
import { type VariantsReport, variants } from '../../node/recipes/variants/index.ts';
import { defined } from '../../options/values.ts';
import { VARIANTS, type VariantsValues } from '../../options/variants.ts';
import { refuseStdin } from '../arguments.ts';
import type { Command } from '../command.ts';
import { reportJson } from '../json/write.ts';
import type { Streams } from '../pipe.ts';
import { endProgress, type Progress, progress } from '../progress.ts';
import { widthsOf } from '../text.ts';
import { examples } from '../usage.ts';
import { variantsJson } from '../variants/json.ts';
import { render } from '../variants/render.ts';

/** `onnx-compress variants`: writes the files of a repository for transformers.js. */
export function variantsCommand(streams: Pick<Streams, 'stdout' | 'stderr'>, color: boolean): Command<VariantsValues> {
  return {
    verb: 'variants',
    table: VARIANTS,
    usage: [
      'onnx-compress variants DIR|model.onnx -o OUT [--dtypes q8,q4] [options]',
      '',
      'Writes the files that transformers.js looks for by dtype: OUT/onnx/model_quantized.onnx, model_q4.onnx …',
    ],
    epilog: [
      examples([
        ['create a repository from an exported model', 'onnx-compress variants exported -o repository'],
        ['add two files to a repository', 'onnx-compress variants repository -o repository --dtypes int8,uint8'],
        ['a single model file', 'onnx-compress variants model.onnx -o repository --dtypes q8'],
      ]),
    ],
    run: async (args) => {
      const { model = '', output, force, dtypes, externalData, chunkBytes, check, noCheck, dryRun, quiet } = args;
      refuseStdin('variants', [model]);
      if (output === undefined) {
        throw new CompressError('options', 'output', 'no output folder is given', { hint: 'Name one: -o repository.' });
      }
      const report = await variants(model, {
        ...{ output, onProgress: bars(quiet === true) },
        ...defined({ dtypes, externalData, chunkBytes, dryRun, overwrite: force }),
        ...(check || noCheck ? { check: check === true } : {}),
      });
      endProgress();
      if (args.json) reportJson(streams.stdout, variantsJson(report));
      if (!quiet) {
        streams.stderr.write(render(report, { color, verbose: args.verbose === true, ...widthsOf(streams.stderr) }));
      }
      refuseFailures(report);
    },
  };
}

/** A progress bar for each step of making a file. */
function bars(quiet: boolean): (file: string, what: string, done: number, total: number | undefined) => void {
  let shown = '';
  let bar: Progress | undefined;
  return (file, what, done, total) => {
    const name = `${file}: ${what}`;
    if (name !== shown) bar = progress(name, quiet, what === 'writing' ? { unit: 'bytes' } : {});
    shown = name;
    bar?.(done, total);
  };
}

/** Fails if a file could not be made. The report has a sentence for each of them. */
function refuseFailures({ failures, files, input }: VariantsReport): void {
  const [first] = failures;
  if (first === undefined) return;
  const made = files.length === 0 ? 'no file' : files.length === 1 ? '1 file' : `${files.length} files`;
  const failed = failures.length === 1 ? '1 was not' : `${failures.length} were not`;
  const mended = first.code === 'exists' ? '' : 'Fix that and run it again: files that exist are kept.';
  throw new CompressError(first.code === 'options' ? 'unsupported' : first.code, input, `${made} made, ${failed}`, {
    hint: mended === '' ? 'Use --force to replace them.' : mended,
  });
}
