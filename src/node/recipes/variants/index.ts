import { basename, join } from 'node:path';
import { MODEL_FOLDER } from '../../../passes/variants/names.ts';
import { makeFolder, removeEmptyFolders } from '../../files/madeFolders.ts';
import { familyOf } from '../generation/family.ts';
import { filesOf } from './files.ts';
import { measureFiles, writtenBy } from './measure.ts';
import { type Settings, settingsOf, type VariantsOptions } from './options.ts';
import type { VariantFailure, VariantFile, VariantsReport } from './report.ts';
import { completeRepository, NOTHING } from './repository.ts';
import { findSources, type Sources } from './sources.ts';

export type { VariantsOptions } from './options.ts';
export type { VariantFailure, VariantFile, VariantsReport } from './report.ts';

/**
 * Writes the files that transformers.js looks for by `dtype`, as `onnx-compress variants` does: one per dtype for every
 * float model of a folder, their entries in config.json, and a section of the model card. Existing files that were made
 * from the same bytes in the same way are kept, so that an interrupted run can continue. If one file fails, the others
 * are still written. If none can be made, nothing is written.
 *
 * @param input - path of a folder with models, in it or in its subfolder `onnx`; or path of one model
 * @throws CompressError `options`, `io`; errors of single files are in `failures` of the report
 * @example
 * const report = await variants('exported', { output: 'repository', dtypes: ['q8', 'q4'] });
 * for (const { path, bytes, sqnr } of report.files) console.log(path, bytes, sqnr);
 */
export async function variants(input: string, options: VariantsOptions): Promise<VariantsReport> {
  const settings = settingsOf(options);
  const sources = await findSources(input);
  const { output, dryRun } = settings;
  const folders = dryRun ? [] : await makeFolder(join(output, MODEL_FOLDER));
  try {
    return await write(input, sources, settings);
  } finally {
    removeEmptyFolders(folders);
  }
}

async function write(input: string, sources: Sources, settings: Settings): Promise<VariantsReport> {
  const { output, dryRun } = settings;
  const files: VariantFile[] = [];
  const failures: VariantFailure[] = [];
  const weights = new Set<string>();
  const notes = new Set(sources.notes);
  let data: string | undefined;
  const written = writtenBy(async () => {
    const paths = sources.models.map(({ name, path }) => [name, path] as const);
    return sources.isFolder ? familyOf(sources.root, 'fp32', new Map(paths)) : undefined;
  });
  for (const source of sources.models) {
    const one = await filesOf(source, settings, failures, weights);
    const measured = await measureFiles(source.path, one, dryRun ? false : settings.check, failures, written);
    files.push(...measured.files);
    data ??= measured.data;
    for (const note of [...measured.notes, ...notesOf(measured.files)]) notes.add(note);
  }
  const nothing = dryRun || files.length === 0;
  const around = nothing ? NOTHING : await completeRepository(sources, settings, { files, failures, weights, data });
  return {
    ...{ input, output, files, failures, copied: around.copied, changed: around.changed },
    ...(data === undefined ? {} : { data }),
    notes: [...notes, ...around.notes],
  };
}

function notesOf(files: readonly VariantFile[]): string[] {
  const same = files.filter((one) => one.unchanged).map((one) => basename(one.path));
  return same.map((file) => `${file} is the same as its source model: none of its weights can be compressed`);
}
