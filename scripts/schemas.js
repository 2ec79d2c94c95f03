// Writes schemas/NAME.schema.json, a JSON schema of each document that --json writes, from the types in
// src/cli/json/documents.ts: the comments of types and members become descriptions.
//   node scripts/schemas.js
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { schemaText } from './schemaFile.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const SOURCE = join(root, 'src/cli/json/documents.ts');

/** The text of each file in schemas/ that is generated from types, by name. */
export function documentSchemas(program) {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(SOURCE);
  const exported = (name) => checker.getSymbolAtLocation(file).exports.get(name);
  const documents = checker.getDeclaredTypeOfSymbol(exported('Documents')).getProperties();
  return new Map(
    documents.map((symbol) => {
      const { schema, definitions } = new SchemaMaker(checker).document(checker.getTypeOfSymbol(symbol));
      const text = schemaText(symbol.name, {
        ...describe(symbol, checker),
        ...schema,
        ...(definitions.size === 0 ? {} : { $defs: Object.fromEntries(sorted([...definitions], ([name]) => name)) }),
      });
      return [symbol.name, text];
    }),
  );
}

/** Sorted, because TypeScript's order depends on what it has checked before. */
function sorted(list, key) {
  const keyed = list.map((one) => [key(one), one]);
  return keyed.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0)).map(([, one]) => one);
}

/** The place of a declaration, as a sortable text. */
function placeOf({ declarations: [first] }) {
  return `${first.getSourceFile().fileName} ${String(first.pos).padStart(8, '0')}`;
}

function describe(symbol, checker) {
  const text = ts.displayPartsToString(symbol.getDocumentationComment(checker)).replaceAll(/\s+/g, ' ').trim();
  return text === '' ? {} : { description: text.replaceAll(/\{@link (\w+)\}/g, '$1') };
}

/** Numbers that JSON cannot hold, as `src/cli/json/write.ts` writes them. */
const TEXTS = {
  ExtendedReal: { anyOf: [{ type: 'number' }, { enum: ['Infinity', '-Infinity', 'NaN'] }] },
  int64: {
    description: 'An integer; beyond 2^53 a string, which no program rounds.',
    anyOf: [{ type: 'integer' }, { type: 'string', pattern: '^-?\\d+$' }],
  },
};

/** Makes the schema of one document, and of each type that it names. */
class SchemaMaker {
  definitions = new Map();
  /** The types of the definitions: two of one name would be mixed up. */
  named = new Map();

  constructor(checker) {
    this.checker = checker;
  }

  document(type) {
    return { schema: this.object(type), definitions: this.definitions };
  }

  /** @param real - the name of a number that may be infinite, where the member is declared as one */
  schema(type, real) {
    const alias = type.aliasSymbol;
    if (alias !== undefined && isOurs(alias) && type.aliasTypeArguments === undefined) {
      return this.define(alias, type, () => this.plain(type, real));
    }
    return this.plain(type, real);
  }

  plain(type, real) {
    const { flags } = type;
    if (flags & ts.TypeFlags.Null) return { type: 'null' };
    if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value };
    if (flags & ts.TypeFlags.BooleanLiteral) return { const: this.checker.typeToString(type) === 'true' };
    if (flags & ts.TypeFlags.String) return { type: 'string' };
    if (flags & ts.TypeFlags.Boolean) return { type: 'boolean' };
    if (flags & ts.TypeFlags.Number) return real === undefined ? { type: 'number' } : this.text('ExtendedReal', real);
    if (flags & ts.TypeFlags.BigInt) return this.text('int64');
    if (type.isUnion()) return this.union(type, real);
    if (this.checker.isArrayType(type)) {
      return { type: 'array', items: this.item(this.checker.getTypeArguments(type)[0], real) };
    }
    const isObject = type.isIntersection() || (flags & ts.TypeFlags.Object) !== 0;
    if (!isObject || type.getCallSignatures().length > 0) {
      throw new Error(`JSON has no ${this.checker.typeToString(type)}`);
    }
    const { symbol } = type;
    const isNamed = type.isClassOrInterface() && !type.typeParameters?.length;
    return isNamed ? this.define(symbol, type, () => this.object(type)) : this.object(type);
  }

  union(type, real) {
    const types = type.types.filter((one) => !(one.flags & ts.TypeFlags.Undefined));
    const isBoolean = (one) => (one.flags & ts.TypeFlags.BooleanLiteral) !== 0;
    if (types.every((one) => one.isStringLiteral())) return { enum: types.map((one) => one.value).sort() };
    const both = types.filter(isBoolean).length === 2;
    const rest = both ? types.filter((one) => !isBoolean(one)) : types;
    const schemas = [...(both ? [{ type: 'boolean' }] : []), ...rest.map((one) => this.schema(one, real))];
    return schemas.length === 1 ? schemas[0] : { anyOf: sorted(schemas, JSON.stringify) };
  }

  object(type) {
    const properties = {};
    const required = [];
    for (const symbol of sorted(this.checker.getPropertiesOfType(type), placeOf)) {
      const own = this.checker.getTypeOfSymbol(symbol);
      const type = symbol.declarations?.[0]?.type;
      const real = /\bExtendedReal\b/.test(type?.getText() ?? '')
        ? symbolOf(type, 'ExtendedReal', this.checker)
        : undefined;
      const schema = this.member(own, real);
      properties[symbol.name] = { ...schema, ...describe(symbol, this.checker) };
      if (!isOptional(symbol, own)) required.push(symbol.name);
    }
    const index = this.checker.getIndexInfoOfType(type, ts.IndexKind.String);
    return {
      type: 'object',
      properties,
      required,
      additionalProperties: index === undefined ? false : this.schema(index.type),
    };
  }

  /** Of a member that may be undefined, which JSON leaves out, the rest. */
  member(type, real) {
    // The rest of a union alone has lost its name.
    const isNamed = isUndefinable(type) && !type.types.some((one) => one.flags & ts.TypeFlags.Null);
    return this.schema(isNamed ? this.checker.getNonNullableType(type) : type, real);
  }

  /** An element of an array, where JSON has null for undefined. */
  item(type, real) {
    const schema = this.member(type, real);
    return isUndefinable(type) ? { anyOf: [...(schema.anyOf ?? [schema]), { type: 'null' }] } : schema;
  }

  /** A reference to the schema of a type with a name. */
  define(symbol, type, make) {
    const { name } = symbol;
    const known = this.named.get(name);
    if (known !== undefined && known !== type) throw new Error(`two types are called ${name}`);
    if (known === undefined) {
      this.named.set(name, type);
      this.definitions.set(name, { ...describe(symbol, this.checker), ...make() });
    }
    return { $ref: `#/$defs/${name}` };
  }

  /** A reference to one of {@link TEXTS}. */
  text(name, symbol) {
    const described = symbol === undefined ? {} : describe(symbol, this.checker);
    this.definitions.set(name, { ...described, ...TEXTS[name] });
    return { $ref: `#/$defs/${name}` };
  }
}

/** Whether something is declared in src/, not in TypeScript's own library. */
function isOurs(symbol) {
  return symbol.declarations?.some((one) => one.getSourceFile().fileName.startsWith(join(root, 'src'))) === true;
}

/** The symbol behind a name in a type. */
function symbolOf(node, name, checker) {
  if (ts.isIdentifier(node) && node.text === name) {
    const symbol = checker.getSymbolAtLocation(node);
    return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  }
  return ts.forEachChild(node, (child) => symbolOf(child, name, checker));
}

function isOptional(symbol, type) {
  return (symbol.flags & ts.SymbolFlags.Optional) !== 0 || isUndefinable(type);
}

function isUndefinable(type) {
  return type.isUnion() && type.types.some((one) => one.flags & ts.TypeFlags.Undefined);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  mkdirSync(join(root, 'schemas'), { recursive: true });
  for (const [name, text] of documentSchemas(ts.createProgram([SOURCE], options))) {
    writeFileSync(join(root, 'schemas', `${name}.schema.json`), text);
  }
}
