/**
 * Regular expressions of JavaScript with the flag `u`, matched in time linear in the text: all possible states
 * are followed at the same time, without backtracking. This cannot match look-around and back-references.
 * Source: Russ Cox, "Regular Expression Matching Can Be Simple And Fast" (2007).
 */

/** Limits: states, lengths of patterns and texts, steps for one text, and cached patterns. Values of inputs need no more. */
const [mostStates, longestPattern, longestText, mostSteps, mostKnown] = [1000, 1000, 65_536, 5_000_000, 100];

/** What is wrong with a pattern, as the end of a sentence; undefined if it is valid. */
export function errorOfPattern(pattern: string): string | undefined {
  try {
    compiled(pattern);
    return undefined;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    const reason = (error as Error).message.replace(/^.*\/[a-z]*: /s, '');
    return `this is not a regular expression: ${reason.charAt(0).toLowerCase()}${reason.slice(1)}`;
  }
}

/** Why a text does not match a pattern, in words that follow `input "name" `; undefined if it matches. */
export function errorOfMatch(pattern: string, text: string): string | undefined {
  try {
    return matchesPattern(pattern, text) ? undefined : `must match ${pattern}`;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

/** Whether a pattern matches anywhere in a text. @throws PatternError for an invalid pattern or a text that is too long. */
export function matchesPattern(pattern: string, text: string): boolean {
  if (text.length > longestText) throw new PatternError(`has a pattern, and so at most ${longestText.toLocaleString('en-US')} characters`);
  const start = compiled(pattern);
  let steps = 0;
  const characters = [...text];
  let now = new Set<State>();
  for (let i = 0; i <= characters.length; i += 1) {
    // A match may begin at every character.
    if (reach(start, now, characters, i)) return true;
    steps += now.size;
    if (steps > mostSteps) throw new PatternError(`is too long for the pattern ${pattern}`);
    const next = new Set<State>();
    for (const state of now) {
      if (state.type === 'character' && i < characters.length && state.is.test(characters[i] as string) && reach(state.next, next, characters, i + 1))
        return true;
    }
    now = next;
  }
  return false;
}

/** Whether a backtracking matcher, as in editors, is fast with it: no repeated groups, and few other repetitions. */
export function isSimplePattern(pattern: string): boolean {
  const plain = pattern.replace(/\\[\s\S]|\[(\\[\s\S]|[^\]\\])*\]/g, '_');
  return !/\)[*+{]/.test(plain) && (plain.match(/[*+{]/g) ?? []).length <= 3;
}

class PatternError extends Error {}

type State =
  | { readonly type: 'character'; readonly is: RegExp; readonly next: State }
  | { readonly type: 'split'; readonly next: State[] }
  | { readonly type: 'place'; readonly of: string; readonly next: State }
  | { readonly type: 'end' };

/** Adds the states reachable without a character; true if the end is one of them. */
function reach(from: State, states: Set<State>, characters: readonly string[], at: number): boolean {
  const waiting = [from];
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    if (state.type === 'end') return true;
    if (states.has(state)) continue;
    states.add(state);
    if (state.type === 'split') waiting.push(...state.next);
    else if (state.type === 'place' && isPlace(state.of, characters, at)) waiting.push(state.next);
  }
  return false;
}

function isPlace(of: string, characters: readonly string[], at: number): boolean {
  if (of === '^') return at === 0;
  if (of === '$') return at === characters.length;
  const isWord = (i: number) => /^\w$/.test(characters[i] ?? '');
  return (isWord(at - 1) !== isWord(at)) === (of === '\\b');
}

/** The syntax tree of a pattern. */
type Part =
  | { readonly type: 'character' | 'place'; readonly text: string }
  | { readonly type: 'all' | 'any'; readonly parts: readonly Part[] }
  | { readonly type: 'repeat'; readonly part: Part; readonly least: number; readonly most: number };

/** A library that is included often repeats its patterns. */
const known = new Map<string, State>();

function compiled(pattern: string): State {
  const start = known.get(pattern) ?? compile(pattern);
  if (known.size === mostKnown) known.clear();
  known.set(pattern, start);
  return start;
}

function compile(pattern: string): State {
  if (pattern.length > longestPattern) throw new PatternError(`a pattern has at most ${longestPattern} characters`);
  new RegExp(pattern, 'u');
  const part = new Parser(pattern).any();
  return new Builder().states(part, { type: 'end' });
}

/** Parses a pattern that JavaScript accepts. */
class Parser {
  private at = 0;

  constructor(private readonly pattern: string) {}

  any(): Part {
    const parts = [this.all()];
    while (this.pattern[this.at] === '|') {
      this.at += 1;
      parts.push(this.all());
    }
    return { type: 'any', parts };
  }

  private all(): Part {
    const parts: Part[] = [];
    while (this.at < this.pattern.length && !'|)'.includes(this.pattern[this.at] as string)) parts.push(this.repeated(this.one()));
    return { type: 'all', parts };
  }

  private repeated(part: Part): Part {
    // Laziness changes which text matches, not whether one does.
    const [text, sign, least, more, most] = this.take(/(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/uy) ?? [];
    if (text === undefined) return part;
    if (sign !== undefined) return { type: 'repeat', part, least: sign === '+' ? 1 : 0, most: sign === '?' ? 1 : Infinity };
    return { type: 'repeat', part, least: Number(least), most: most ? Number(most) : more ? Infinity : Number(least) };
  }

  private one(): Part {
    if (this.take(/\((?:\?:|\?<(?![=!])[^>]*>|(?!\?))/uy) !== undefined) {
      const inner = this.any();
      this.at += 1;
      return inner;
    }
    const [refused] = this.take(/\(\?<?.?|\\(?:[1-9]|k)/uy) ?? [];
    if (refused !== undefined) throw new PatternError(`"${refused}" is not part of patterns: they have no look-around and no references to groups`);
    const [place] = this.take(/\^|\$|\\[bB]/uy) ?? [];
    if (place !== undefined) return { type: 'place', text: place };
    const hex = '[0-9a-fA-F]';
    const escape = `\\\\(?:u\\{[^}]*\\}|u[dD][89abAB]${hex}{2}\\\\u[dD][c-fC-F]${hex}{2}|u${hex}{4}|x${hex}{2}|[pP]\\{[^}]*\\}|c[A-Za-z]|[^])`;
    const [text = ''] = this.take(new RegExp(`\\[(?:\\\\[^]|[^\\]\\\\])*\\]|${escape}|[^]`, 'uy')) ?? [];
    return { type: 'character', text };
  }

  private take(wanted: RegExp): RegExpExecArray | undefined {
    wanted.lastIndex = this.at;
    const found = wanted.exec(this.pattern) ?? undefined;
    this.at += found?.[0].length ?? 0;
    return found;
  }
}

/** Builds the states of a pattern, from its end to its start. */
class Builder {
  private steps = 0;

  states(part: Part, next: State): State {
    this.steps += 1;
    if (this.steps > mostStates) throw new PatternError('this pattern is too large: a repetition counts as often as it repeats');
    switch (part.type) {
      case 'character':
        return { type: 'character', is: new RegExp(`^${part.text}$`, 'u'), next };
      case 'place':
        return { type: 'place', of: part.text, next };
      case 'all':
        return part.parts.reduceRight((after, each) => this.states(each, after), next);
      case 'any':
        return part.parts.length === 1 ? this.states(part.parts[0] as Part, next) : { type: 'split', next: part.parts.map((each) => this.states(each, next)) };
      case 'repeat':
        return this.repeated(part, next);
    }
  }

  private repeated({ part, least, most }: Extract<Part, { type: 'repeat' }>, next: State): State {
    let state = next;
    if (most === Infinity) {
      const loop: State & { type: 'split' } = { type: 'split', next: [next] };
      loop.next.push(this.states(part, loop));
      state = loop;
    }
    for (let i = least; i < most && most !== Infinity; i += 1) state = { type: 'split', next: [next, this.states(part, state)] };
    for (let i = 0; i < least; i += 1) state = this.states(part, state);
    return state;
  }
}
