import Handlebars from 'handlebars';
import { nearest } from '../diagnostics/suggest.js';
import { hintForSyntax } from '../diagnostics/template_hints.js';
import { limits } from './limits.js';
import { syntaxDiagnostic, type TemplateDiagnostic } from './template_errors.js';
import { type ArgumentShape, helperNames, helpers, helperUse, textOf } from './template_helpers.js';

/** A name in a template: `{{ disk.partitions.root }}` has the path `disk partitions root`. */
export interface Reference {
  readonly path: readonly string[];
  /** Its place, in characters of the template's text. */
  readonly start: number;
  readonly end: number;
  /** Whether a missing value is allowed, as for the first argument of `default`. */
  readonly optional: boolean;
  /** Whether its value becomes part of other text. */
  readonly inText: boolean;
  /** The helper that has it as an argument, and the type that the helper expects. */
  readonly argument?: { readonly helper: string; readonly takes: ArgumentShape } | undefined;
}

/** A path as written in a template, with brackets around anything that is not a plain name. */
export function pathText(path: readonly string[]): string {
  return path.map((part) => (/^[A-Za-z_][\w-]*$/.test(part) ? part : `[${part}]`)).join('.');
}

/** A string with `{{ }}` in it. */
export interface Template {
  readonly text: string;
  readonly references: readonly Reference[];
  /** Whether it is exactly one expression, whose value keeps its type. */
  readonly single: boolean;
  /**
   * The text with every reference replaced by its value; the value itself where it is `single`.
   * @param evaluated receives the value of each expression, with the references that it reads.
   * @throws Error if a list or a map is part of other text.
   */
  render(valueOf: (reference: Reference) => unknown, evaluated?: (value: unknown, references: readonly Reference[]) => void): unknown;
}

const engine = Handlebars.create();
for (const name of ['each', 'with', 'lookup', 'log', 'blockHelperMissing', 'helperMissing']) engine.unregisterHelper(name);
for (const [name, { arity, call }] of Object.entries(helpers)) {
  // Handlebars adds an options object after the arguments; the arity was checked when the template was read.
  engine.registerHelper(name, (...args: unknown[]) => call(...(args.slice(0, Math.min(args.length - 1, arity[1])) as never[])));
}
// Each expression is wrapped in one of these with its number. Rendering is synchronous, so one listener is enough.
let listener: (value: unknown, expression: number) => void = () => {};
engine.registerHelper('__text', (value: unknown, expression: number) => {
  listener(value, expression);
  return textOf(value);
});
engine.registerHelper('__value', (value: unknown, expression: number) => {
  listener(value, expression);
  return '';
});

/** Parses a string with `{{ }}` into a template, or into all its errors. */
export function parseTemplate(text: string): { template?: Template; diagnostics: TemplateDiagnostic[] } {
  const dollar = text.indexOf('${{');
  if (dollar >= 0) {
    const help = "GitHub Actions' ${{ x }} is {{ x }} here";
    return {
      diagnostics: [{ code: 'template-word', message: 'the "$" before "{{" stays, and the shell reads a variable', start: dollar, end: dollar + 3, help }],
    };
  }
  let program: hbs.AST.Program;
  try {
    program = Handlebars.parse(text);
  } catch (error) {
    // The parser is recursive.
    if (error instanceof RangeError) return { diagnostics: [{ code: 'limit', message: tooDeep, start: 0, end: text.length }] };
    return { diagnostics: [syntaxDiagnostic(text, error as Error)] };
  }
  const single = program.body.length === 1 && program.body[0]?.type === 'MustacheStatement';
  const reader = new Reader(text, single);
  reader.program(program);
  if (reader.diagnostics.length > 0) return { diagnostics: reader.diagnostics };
  const { references } = reader;
  const [only] = references;
  // Most templates are one name. Compiling it would cost more than everything else.
  const plain = single && only !== undefined && isName(program.body[0] as hbs.AST.MustacheStatement) ? only : undefined;
  let compiled: ReturnType<typeof engine.compile> | undefined;
  const template: Template = {
    text,
    references,
    single,
    render: (valueOf, evaluated) => {
      if (plain !== undefined) {
        const value = valueOf(plain) ?? null;
        evaluated?.(value, references);
        return value;
      }
      compiled ??= engine.compile(wrapped(program, single ? '__value' : '__text', reader), {
        strict: true,
        noEscape: true,
        knownHelpersOnly: true,
        knownHelpers: Object.fromEntries([...helperNames, '__text', '__value', 'if', 'unless'].map((name) => [name, true])),
      });
      const context = Object.fromEntries(references.map((reference, i) => [`r${i}`, valueOf(reference) ?? null]));
      let last: unknown;
      listener = (value, expression) => {
        last = value;
        evaluated?.(value, reader.expressions[expression] ?? []);
      };
      const rendered = compiled(context);
      return single ? last : rendered;
    },
  };
  return { template, diagnostics: [] };
}

function isName({ path, params }: hbs.AST.MustacheStatement): boolean {
  return path.type === 'PathExpression' && params.length === 0;
}

class Reader {
  readonly references: Reference[] = [];
  /** The references of each `{{ }}`, and its number by its node. */
  readonly expressions: Reference[][] = [];
  readonly numbers = new Map<hbs.AST.Node, number>();
  readonly diagnostics: TemplateDiagnostic[] = [];
  private readonly lines: readonly number[];
  private depth = 0;

  constructor(
    private readonly text: string,
    private readonly single: boolean,
  ) {
    this.lines = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)];
  }

  program(program: hbs.AST.Program | undefined): void {
    for (const statement of program?.body ?? []) this.inside(statement, () => this.statement(statement));
  }

  /** Reads what is nested in something else. */
  private inside(node: hbs.AST.Node, read: () => void): void {
    if (this.depth === limits.depth) return this.refuse(node, tooDeep, undefined, 'limit');
    this.depth += 1;
    read();
    this.depth -= 1;
  }

  private statement(node: hbs.AST.Statement): void {
    switch (node.type) {
      case 'ContentStatement':
        return;
      case 'CommentStatement': {
        const [, name] = /^\{\{~?!\s*((?:inputs|vars|matrix|env)\.[\w.]+)\s*~?\}\}$/.exec(this.text.slice(this.range(node).start, this.range(node).end)) ?? [];
        if (name !== undefined) this.refuse(node, '"{{!" begins a comment', `write {{ not ${name} }}`);
        return;
      }
      case 'MustacheStatement': {
        const mustache = node as hbs.AST.MustacheStatement;
        if (!mustache.escaped) return this.refuse(node, 'values are never escaped, so there are no triple braces', 'write two braces');
        const before = this.references.length;
        this.call(mustache);
        this.numbers.set(node, this.expressions.push(this.references.slice(before)) - 1);
        return;
      }
      case 'BlockStatement': {
        const block = node as hbs.AST.BlockStatement;
        const name = block.path.original;
        if (name !== 'if' && name !== 'unless') {
          const help = name === 'each' ? '{{ quote LIST }} prints the items as shell words, {{ join LIST "," }} as text; or loop in the script' : undefined;
          return this.refuse(node, `unknown block "#${name}"; the blocks are #if and #unless`, help);
        }
        if (block.params.length !== 1 || block.hash?.pairs.length) return this.refuse(node, `"#${name}" takes one value`, 'e.g. {{#if (and a b)}}', 'helper');
        for (const param of block.params) this.expression(param, true);
        this.program(block.program);
        this.program(block.inverse);
        return;
      }
      default:
        return this.refuse(node, 'partials and decorators are not supported', 'share text with "vars" or "includes"');
    }
  }

  private call(node: hbs.AST.MustacheStatement | hbs.AST.SubExpression): void {
    const name = node.path.type === 'PathExpression' ? (node.path as hbs.AST.PathExpression).original : '';
    if (node.hash?.pairs.length) return this.refuse(node, 'helpers take no named arguments', this.inOrder(node), 'helper');
    const helper = Object.hasOwn(helpers, name) ? helpers[name] : undefined;
    if (helper === undefined) {
      if (node.params.length === 0 && node.type === 'MustacheStatement') return this.expression(node.path, false, !this.single);
      const written = this.text.slice(this.range(node).start, this.range(node).end);
      const near = nearest(name, helperNames);
      const help = hintForSyntax(written) ?? (near === undefined ? `the helpers are ${[...helperNames].sort().join(', ')}` : `did you mean "${near}"?`);
      return this.refuse(node.path, `unknown helper "${name}"`, help, 'helper');
    }
    const [least, most] = helper.arity;
    if (node.params.length < least || node.params.length > most) {
      return this.refuse(
        node,
        `"${name}" takes ${least === most ? least : `${least} to ${most}`} argument${most === 1 ? '' : 's'}, not ${node.params.length}`,
        helperUse[name] === undefined ? undefined : `e.g. {{ ${helperUse[name]} }}`,
        'helper',
      );
    }
    for (const [i, param] of node.params.entries()) {
      const argument = { helper: name, takes: helper.takes[Math.min(i, helper.takes.length - 1)] ?? 'any' };
      this.expression(param, name === 'default' && i === 0, false, argument);
    }
  }

  /** A call with the values of its named arguments in their order. */
  private inOrder(node: hbs.AST.MustacheStatement | hbs.AST.SubExpression): string {
    const { start, end } = this.range(node);
    return `write the values in order: ${this.text.slice(start, end).replace(/\s[\w-]+=/g, ' ')}`;
  }

  private expression(node: hbs.AST.Expression, optional: boolean, inText = false, argument?: Reference['argument']): void {
    if (node.type === 'SubExpression') return this.inside(node, () => this.call(node as hbs.AST.SubExpression));
    if (node.type === 'UndefinedLiteral') return this.refuse(node, '"undefined" is not a value', 'write null');
    if (node.type !== 'PathExpression') return;
    const path = node as hbs.AST.PathExpression;
    if (path.data) return this.refuse(node, 'names that begin with "@" are not supported', 'name the value, e.g. {{ inputs.size }}');
    if (path.depth > 0 || path.parts.length === 0 || /^(this(?![\w-])|\.)/.test(path.original)) {
      return this.refuse(
        node,
        `"${path.original}" is not supported`,
        'name the value, e.g. {{ inputs.size }}; for literal braces write \\{{, or "template: false"',
      );
    }
    const { start, end } = this.range(node);
    this.references.push({ path: path.parts, start, end, optional, inText, argument });
    const renamed = `r${this.references.length - 1}`;
    Object.assign(path, { original: renamed, parts: [renamed] });
  }

  private refuse(node: hbs.AST.Node, message: string, help?: string, code: TemplateDiagnostic['code'] = 'template-word'): void {
    this.diagnostics.push({ code, message, ...this.range(node), ...(help === undefined ? {} : { help }) });
  }

  private range(node: hbs.AST.Node): { start: number; end: number } {
    const { start, end } = node.loc;
    return { start: (this.lines[start.line - 1] ?? 0) + start.column, end: (this.lines[end.line - 1] ?? 0) + end.column };
  }
}

/** The program with each `{{ x }}` as `{{ helper x }}`, so that values keep their type or are checked. */
function wrapped(program: hbs.AST.Program, helper: string, reader: Reader): hbs.AST.Program {
  const statements = program.body.map((node) => {
    if (node.type === 'BlockStatement') {
      const block = node as hbs.AST.BlockStatement;
      return {
        ...block,
        ...(block.program ? { program: wrapped(block.program, '__text', reader) } : {}),
        ...(block.inverse ? { inverse: wrapped(block.inverse, '__text', reader) } : {}),
      };
    }
    if (node.type !== 'MustacheStatement') return node;
    const mustache = node as hbs.AST.MustacheStatement;
    const path = mustache.path as hbs.AST.PathExpression;
    const inner = mustache.params.length === 0 ? path : { ...mustache, type: 'SubExpression' };
    const number = { type: 'NumberLiteral', value: reader.numbers.get(node), original: reader.numbers.get(node), loc: node.loc };
    return { ...mustache, path: { ...path, original: helper, parts: [helper] }, params: [inner, number] };
  });
  return { ...program, body: statements } as hbs.AST.Program;
}

const tooDeep = `blocks and helpers are nested at most ${limits.depth} deep`;
