/** The names that a pattern such as `{ Name, Value: values = [], Ebs: { Iops } }` takes out, with the patterns within. */
export type Pattern = ReadonlyMap<string, Pattern | undefined>;

/** What sources take apart: the first parameter of the functions of actions, and parameters with a type of a name. */
export function patternsOf(sources: readonly string[]) {
  const actions = new Map<string, Pattern>();
  const structures = new Map<string, Pattern[]>();
  for (const source of sources) {
    for (const found of source.matchAll(/\baction\(\s*'(\w+)',\s*async \(\s*/g)) {
      const name = found[1] as string;
      if (actions.has(name)) throw new Error(`the action ${name} is there twice`);
      const at = found.index + found[0].length;
      actions.set(name, source[at] === '{' ? patternAt(source, at)[0] : new Map());
    }
    for (const found of source.matchAll(/(?:[(,]|const)\s*(?=\{)/g)) {
      const [pattern, end] = tryPatternAt(source, found.index + found[0].length);
      const [, type] = /^: Asked\.(\w+)/.exec(source.slice(end, end + 100)) ?? [];
      if (pattern !== undefined && type !== undefined) structures.set(type, [...(structures.get(type) ?? []), pattern]);
    }
  }
  return { actions, structures };
}

/** As {@link patternAt}; nothing where there is no pattern but an object. */
function tryPatternAt(text: string, start: number): [Pattern | undefined, number] {
  try {
    return patternAt(text, start);
  } catch {
    return [undefined, start];
  }
}

/** The pattern whose `{` stands at a place, and the place after its `}`. */
function patternAt(text: string, start: number): [Pattern, number] {
  const pattern = new Map<string, Pattern | undefined>();
  let at = start + 1;
  for (;;) {
    const [entry = '', key, colon] = /^[\s,]*(?:(\w+)\s*(:?)\s*)?/.exec(text.slice(at, at + 300)) ?? [];
    at += entry.length;
    if (key === undefined) {
      if (text[at] !== '}') throw new Error(`no pattern: ${text.slice(start, at + 20)}`);
      return [pattern, at + 1];
    }
    let inner: Pattern | undefined;
    if (colon === ':' && text[at] === '{') [inner, at] = patternAt(text, at);
    pattern.set(key, inner);
    at += (/^[^,{}[\]]*(?:(?:\[\]|\{\})[^,{}[\]]*)?/.exec(text.slice(at)) ?? [''])[0].length;
  }
}
