import type { Document } from 'yaml';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { limits } from './limits.js';
import type { Source } from './source.js';
import { yamlDiagnostic } from './yaml_errors.js';

/** What is wrong with the YAML of a recipe: its first error, a second document, another version. */
export function errorsOf(source: Source, doc: Document, next: Document | undefined): Diagnostic[] {
  const found: Diagnostic[] = [];
  const problems = [...doc.errors, ...doc.warnings];
  // The library stops at its recursion limit with an error.
  const deep = problems.find(({ code }) => code === 'RESOURCE_EXHAUSTION');
  const problem = deep === undefined ? yamlDiagnostic(source, problems) : undefined;
  if (deep !== undefined) found.push({ code: 'limit', message: tooDeep, span: { source, start: deep.pos[0], end: deep.pos[0] + 1 } });
  if (problem !== undefined) found.push(problem);
  if (next !== undefined) {
    const second = next.range?.[0] ?? 0;
    found.push({
      code: 'yaml',
      message: 'a recipe is one YAML document, and a second one begins',
      span: { source, start: second, end: second + 3 },
      help: 'write the second document to a file of its own',
    });
  }
  if (doc.directives?.yaml.explicit && doc.directives.yaml.version !== '1.2') {
    found.push({
      code: 'yaml',
      message: `recipes are YAML 1.2, not ${doc.directives.yaml.version}`,
      span: { source, start: 0, end: 5 },
      help: 'remove the %YAML line',
    });
  }
  return found;
}

export const tooDeep = `lists and maps are nested at most ${limits.depth} deep`;
