/** The names that a pattern such as `{ Name, Value: values = [] }` takes out. */
export type Names = ReadonlySet<string>;

/** What sources take apart: the first parameter of the functions of actions, and whatever has the type of a structure, `Asked.Tag`. */
export function patternsOf(sources: readonly string[]): { readonly actions: ReadonlyMap<string, Names>; readonly structures: ReadonlyMap<string, Names> } {
  const actions = new Map<string, Names>();
  const structures = new Map<string, Names>();
  for (const source of sources) {
    for (const [, name = '', pattern = ''] of source.matchAll(new RegExp(`\\baction\\(\\s*'(\\w+)',\\s*async \\(\\s*(${patternText})?`, 'g'))) {
      if (actions.has(name)) throw new Error(`the action ${name} is there twice`);
      actions.set(name, namesIn(pattern));
    }
    for (const [, pattern = '', type = ''] of source.matchAll(new RegExp(`(${patternText}): Asked\\.(\\w+)`, 'g'))) {
      structures.set(type, new Set([...(structures.get(type) ?? []), ...namesIn(pattern)]));
    }
  }
  return { actions, structures };
}

/** A pattern without others in it; a default may be `{}`. */
const patternText = String.raw`\{(?:[^{}]|\{\})*\}`;

function namesIn(pattern: string): Names {
  return new Set([...pattern.matchAll(/[{,]\s*(\w+)/g)].map(([, name = '']) => name));
}
