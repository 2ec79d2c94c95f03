/** The address of a schema of schemas/ once the package is published. */
export function schemaId(name) {
  return `https://unpkg.com/onnx-compress@1/schemas/${name}.schema.json`;
}

/** The text of a file in schemas/. */
export function schemaText(name, schema) {
  const head = { $schema: 'https://json-schema.org/draft/2020-12/schema', $id: schemaId(name) };
  return `${JSON.stringify({ ...head, ...schema }, undefined, 2)}\n`;
}
