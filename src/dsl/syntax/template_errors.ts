import Handlebars from 'handlebars';
import { hintForSyntax } from '../diagnostics/template_hints.js';

/** An error in a template; `start` and `end` in characters of its text. */
export interface TemplateDiagnostic {
  /** `template`: it is not valid; `template-word`: it uses an unsupported feature; `helper`; `limit`. */
  readonly code: 'template' | 'template-word' | 'helper' | 'limit';
  readonly message: string;
  readonly start: number;
  readonly end: number;
  readonly help?: string;
}

/** Finds the invalid expression by trying each one alone: the parser reports a place after it, or none. */
export function syntaxDiagnostic(text: string, error: Error): TemplateDiagnostic {
  const help = 'for literal braces write \\{{, or "template: false" on the task';
  const open = text.lastIndexOf('{{');
  if (!text.includes('}}', open)) return { code: 'template', message: 'this "{{" is never closed', start: open, end: open + 2, help };
  for (let start = text.indexOf('{{'); start >= 0; ) {
    const end = text.indexOf('}}', start) + 2;
    const written = text.slice(start, end);
    if (text[start - 1] !== '\\' && !/^\{\{([#/^!>]|\s*else\b)/.test(written) && !parses(written))
      return { code: 'template', message: 'invalid template expression', start, end, help: hintForSyntax(written) ?? help };
    start = text.indexOf('{{', end);
  }
  const [, opened, closed] = /^(\S+) doesn't match (\S+)/.exec(error.message) ?? [];
  const start = text.search(/\{\{[#/^]/);
  const end = text.indexOf('}}', start) + 2;
  if (opened !== undefined) return { code: 'template', message: `{{#${opened}}} is closed by {{/${closed}}}`, start, end, help: `write {{/${opened}}}` };
  const [, block] = /^\{\{#\s*(\w+)/.exec(text.slice(start)) ?? [];
  if (block === undefined && text.startsWith('{{/*', start))
    return { code: 'template', message: '"{{/" closes a block', start, end, help: 'write a comment as {{!-- TEXT --}}' };
  if (block === undefined) return { code: 'template', message: 'this closes a block that was never opened', start, end, help: 'remove it' };
  return { code: 'template', message: `this {{#${block}}} is never closed`, start, end, help: `add {{/${block}}} after the text that depends on it` };
}

function parses(text: string): boolean {
  try {
    Handlebars.parse(text);
    return true;
  } catch {
    return false;
  }
}
