import type { Edge, Plan } from '../dsl/plan/plan.js';

/** What each node of a plan waits for, without what it already waits for through another node. */
export function reducedLinks({ nodes }: Plan): Map<string, Edge[]> {
  // Nodes come in order, so everything a node waits for is known when the node comes.
  const above = new Map<string, Set<string>>();
  const links = new Map<string, Edge[]>();
  for (const { id, after } of nodes) {
    const direct = [...new Map(after.map((edge) => [edge.from, edge])).values()];
    const through = new Set(direct.flatMap(({ from }) => [...(above.get(from) ?? [])]));
    links.set(
      id,
      direct.filter(({ from }) => !through.has(from)),
    );
    above.set(id, new Set([...through, ...direct.map(({ from }) => from)]));
  }
  return links;
}
