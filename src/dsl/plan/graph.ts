/** A graph by the predecessors of each node: what must come before it. */
export type Predecessors<Id> = ReadonlyMap<Id, readonly Id[]>;

/**
 * A cycle of the graph, as the nodes on it, each before the one it must follow; undefined when there is none.
 * Runs in one pass and without recursion, so that long chains cannot overflow the stack.
 */
export function cycleIn<Id>(graph: Predecessors<Id>): Id[] | undefined {
  const done = new Set<Id>();
  for (const root of graph.keys()) {
    const path: Id[] = [];
    const onPath = new Set<Id>();
    const stack: { id: Id; next: number }[] = [{ id: root, next: 0 }];
    while (stack.length > 0) {
      const top = stack.at(-1) as { id: Id; next: number };
      if (top.next === 0) {
        if (done.has(top.id)) {
          stack.pop();
          continue;
        }
        path.push(top.id);
        onPath.add(top.id);
      }
      const before = graph.get(top.id)?.[top.next];
      top.next += 1;
      if (before === undefined) {
        done.add(top.id);
        onPath.delete(top.id);
        path.pop();
        stack.pop();
      } else if (onPath.has(before)) {
        return path.slice(path.indexOf(before));
      } else if (!done.has(before) && graph.has(before)) {
        stack.push({ id: before, next: 0 });
      }
    }
  }
  return undefined;
}

/** The nodes in an order that respects the graph; among those that may come next, the one with the lowest rank comes first. */
export function sorted<Id>(graph: Predecessors<Id>, rankOf: (id: Id) => number): Id[] {
  const waiting = new Map<Id, number>();
  const followers = new Map<Id, Id[]>();
  for (const [id, before] of graph) {
    const known = before.filter((b) => graph.has(b));
    waiting.set(id, known.length);
    for (const b of known) {
      const list = followers.get(b);
      if (list === undefined) followers.set(b, [id]);
      else list.push(id);
    }
  }
  const ready = [...waiting].filter(([, count]) => count === 0).map(([id]) => id);
  const heap = new Heap(ready, rankOf);
  const order: Id[] = [];
  for (let id = heap.take(); id !== undefined; id = heap.take()) {
    order.push(id);
    for (const follower of followers.get(id) ?? []) {
      const count = (waiting.get(follower) ?? 0) - 1;
      waiting.set(follower, count);
      if (count === 0) heap.put(follower);
    }
  }
  return order;
}

/** A queue that returns the item with the lowest rank first. */
export class Heap<Item> {
  private readonly items: Item[] = [];

  constructor(
    items: Iterable<Item>,
    private readonly rankOf: (item: Item) => number,
  ) {
    for (const item of items) this.put(item);
  }

  put(item: Item): void {
    let at = this.items.push(item) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.swapIfLess(at, above)) return;
      at = above;
    }
  }

  take(): Item | undefined {
    const top = this.items[0];
    const last = this.items.pop();
    if (this.items.length === 0 || last === undefined) return top;
    this.items[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const right = left + 1;
      const least = right < this.items.length && this.rank(right) < this.rank(left) ? right : left;
      if (least >= this.items.length || !this.swapIfLess(least, at)) return top;
      at = least;
    }
  }

  private rank(at: number): number {
    return this.rankOf(this.items[at] as Item);
  }

  private swapIfLess(lower: number, upper: number): boolean {
    if (this.rank(lower) >= this.rank(upper)) return false;
    [this.items[lower], this.items[upper]] = [this.items[upper] as Item, this.items[lower] as Item];
    return true;
  }
}
