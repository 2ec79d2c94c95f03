/** Checks `--json` output against the published schemas whenever a test runs the command line. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isStepVerb } from '../../src/options/verbs.ts';
import { misfits, type Schema } from './schema.ts';

const schemas = new Map<string, Schema>();

/** A schema of schemas/, by the name of its document. */
export function schemaOf(name: string): Schema {
  const known = schemas.get(name);
  if (known !== undefined) return known;
  const path = fileURLToPath(new URL(`../../schemas/${name}.schema.json`, import.meta.url));
  const schema = JSON.parse(readFileSync(path, 'utf8')) as Schema;
  schemas.set(name, schema);
  return schema;
}

/** The document that a verb wrote. */
export function documentName(verb: string, document: object): string {
  if (Object.keys(document).join(' ') === 'version error') return 'error';
  if ('totals' in document) return 'models';
  if (verb === 'verify' && 'decoders' in document) return 'verify-folders';
  return isStepVerb(verb) ? 'run' : verb;
}

/**
 * Checks the output of a command line that requested JSON.
 * @throws Error with the places that do not fit
 */
export function checkDocument(args: readonly string[], stdout: string): void {
  if (!/ --(json|format[= ]json) /.test(` ${args.join(' ')} `) || stdout === '') return;
  const document = JSON.parse(stdout) as object;
  const name = documentName(args[0] ?? '', document);
  const wrong = misfits(schemaOf(name), document);
  if (wrong.length > 0) throw new Error(`${args.join(' ')}: does not fit ${name}.schema.json: ${wrong.join(', ')}`);
}
