import { stringify } from 'yaml';
import { hintFor } from '../dsl/suggest.js';
import type { AnyKind } from '../runtime/kind.js';
import { kinds as all } from '../tasks/index.js';
import { ExitError, exits } from './exits.js';
import { print, printJson, styled, table } from './output.js';

/** `chrootfile kinds`: the built-in kinds, or the manual of one. */
export function kinds(name: string | undefined, json: boolean): void {
  if (name === undefined) {
    if (json) return printJson(all.map(recordOf));
    return print(...table([['KIND', 'LIFETIME', 'SUMMARY'], ...all.map((kind) => [kind.name, kind.lifetime, kind.summary])]));
  }
  const kind = all.find((k) => k.name === name);
  if (kind === undefined) {
    const names = all.map((k) => k.name);
    throw new ExitError(exits.invalid, `there is no kind "${name}"\n  help: ${hintFor(name, names)}`);
  }
  if (json) return printJson(recordOf(kind));
  const properties = (schema: AnyKind['params']) => Object.entries(schema.properties as Record<string, Record<string, unknown>>);
  print(`${styled('bold', kind.name)} (${kind.lifetime}): ${kind.summary}`, '', kind.docs, '', styled('bold', 'with'));
  for (const [key, schema] of properties(kind.params))
    print(
      `  ${key}${kind.params.required?.includes(key) ? ' (required)' : ''}${schema['default'] === undefined ? '' : ` (default ${JSON.stringify(schema['default'])})`}: ${schema['description'] ?? ''}`,
    );
  print('', styled('bold', 'outputs'));
  for (const [key, schema] of properties(kind.outputs)) print(`  ${key}: ${schema['description'] ?? ''}`);
  const task = { uses: kind.name, ...(kind.in === 'required' ? { in: 'sys' } : {}), ...(Object.keys(kind.example).length === 0 ? {} : { with: kind.example }) };
  print(
    '',
    styled('bold', 'example'),
    stringify({ tasks: { example: task } })
      .trimEnd()
      .replace(/^/gm, '  '),
  );
}

function recordOf(kind: AnyKind) {
  const { name, summary, docs, lifetime, params, outputs, freezes, takesBack, example } = kind;
  return { name, summary, docs, lifetime, in: kind.in, takes_back: takesBack, freezes, with: params, outputs, example };
}
