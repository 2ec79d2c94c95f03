import type { Source } from '../bytes/source.ts';
import type { DataFile, ModelHeader } from '../ir/header.ts';
import { LENGTH, MODEL_HEADER, VARINT } from './fields.ts';
import { drive, type Reading } from './reading.ts';
import type { Segment } from './segment.ts';
import { decodeText } from './text.ts';
import { Skimmer } from './wire.ts';
import type { Field } from './wireField.ts';

/** Maximum bytes of a producer, domain or key. Longer ones are cut, not refused, because nothing depends on them. */
const MAX_READ = 1024;

/**
 * Reads the descriptive fields of a model file. The graph and the metadata are skipped.
 * @param dataFiles - the files next to the model, by location
 * @throws CompressError `malformed`
 */
export async function readHeader(
  source: Source,
  dataFiles: ReadonlyMap<string, Source>,
): Promise<Omit<ModelHeader, 'metadata'>> {
  const skim = new Skimmer(source);
  const texts = new Map<number, string>();
  let docString: Segment | undefined;
  let modelVersion = 0;
  const visit = function* (field: Field): Reading<void> {
    const { number, wireType } = field;
    if (number === MODEL_HEADER.modelVersion && wireType === VARINT) modelVersion = skim.int(field);
    if (wireType !== LENGTH) return;
    if (TEXTS.includes(number)) texts.set(number, yield* start(skim, field));
    else if (number === MODEL_HEADER.docString) docString = skim.segment(field.start, field.end);
  };
  await drive(skim.walk(0, source.byteLength, visit));
  const files = [...dataFiles].map(([location, file]): DataFile => ({ location, byteLength: file.byteLength }));
  return {
    producerName: texts.get(MODEL_HEADER.producerName) ?? '',
    producerVersion: texts.get(MODEL_HEADER.producerVersion) ?? '',
    domain: texts.get(MODEL_HEADER.domain) ?? '',
    modelVersion,
    docString,
    byteLength: source.byteLength,
    dataFiles: files,
  };
}

const TEXTS: readonly number[] = [MODEL_HEADER.producerName, MODEL_HEADER.producerVersion, MODEL_HEADER.domain];

/** The beginning of a text. */
function* start(skim: Skimmer, field: Field): Reading<string> {
  return decodeText(yield* skim.bytes(field.start, Math.min(field.end, field.start + MAX_READ)));
}
