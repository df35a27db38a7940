import { type Form, longestForm, type Unit } from './secret_forms.js';

/** Where forms end in a text, by node and position. Many paths lead to the same position. */
export type Ends = Map<number, number>;

/** A tree of forms that share their beginnings, so that each shared part is searched once. A form that is already in the tree is not added again. */
export class FormTree {
  private static made = 0;
  private readonly id = FormTree.made++;
  /** The only form that continues here. Its units from this depth on have no nodes yet. */
  private form: Form | undefined;
  private next: Map<Unit, FormTree> | undefined;
  private isEnd = false;

  constructor(
    private readonly wraps: boolean,
    private readonly depth = 0,
  ) {}

  add(form: Form): void {
    const other = this.form;
    if (this.next === undefined) {
      if (other === undefined) {
        this.form = form;
        return;
      }
      if (other.units.length === form.units.length && other.units.every((unit, i) => unit === form.units[i])) return;
      this.form = undefined;
      this.next = new Map();
      this.branch(other, this.next);
    }
    this.branch(form, this.next);
  }

  private branch(form: Form, next: Map<Unit, FormTree>): void {
    const unit = form.units[this.depth];
    if (unit === undefined) {
      this.isEnd = true;
      return;
    }
    let tree = next.get(unit);
    if (tree === undefined) {
      tree = new FormTree(this.wraps, this.depth + 1);
      next.set(unit, tree);
    }
    tree.add(form);
  }

  /** The end of the longest form whose units from a depth on match at a position; -1 when none matches. */
  endIn(text: string, place: number, ends: Ends, from = this.depth): number {
    let [at, depth] = [place, from];
    const units = this.form?.units;
    // Most units can be written in one way only.
    for (; units?.[depth]?.length === 1; depth += 1) {
      const [only = ''] = units[depth] as Unit;
      const begin = this.beginOf(text, at, depth);
      if (!text.startsWith(only, begin)) return -1;
      at = begin + only.length;
    }
    if (depth === units?.length) return at;
    const key = (this.id * longestForm + depth) * (text.length + 1) + at;
    const known = ends.get(key);
    if (known !== undefined) return known;
    let longest = this.isEnd ? at : -1;
    const begin = this.beginOf(text, at, depth);
    for (const [unit, tree] of units === undefined ? (this.next ?? []) : [[units[depth] as Unit, this] as const])
      for (const way of unit) {
        const start = way === '' ? at : begin;
        if (text.startsWith(way, start)) longest = Math.max(longest, tree.endIn(text, start + way.length, ends, depth + 1));
      }
    if (ends.size >= maxEnds) ends.clear();
    ends.set(key, longest);
    return longest;
  }

  /** A line break belongs to a form only if the form continues after it. */
  private beginOf(text: string, at: number, depth: number): number {
    return this.wraps && depth > 0 && text.charCodeAt(at) === 10 ? at + 1 : at;
  }
}

/** The cache is cleared when it is larger. Only entries for nearby positions are needed again. */
const maxEnds = 65_536;
