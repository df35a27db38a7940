/** The members of a structure, or the parameters of an action, with their types: none where they are not served. */
export type Members = ReadonlyMap<string, string>;

/** docs/served-actions.md: the actions of EC2, STS and EBS that the embedded EC2 serves. */
export function servedActions(actions: ReadonlyMap<string, Members>, structures: ReadonlyMap<string, Members>, ebs: readonly string[]): string {
  const unservedIn = (members: Members, within: string): string[] =>
    [...members].flatMap(([name, type]) => {
      if (type === '') return [`\`${within}${name}\``];
      return unservedIn(structures.get(type.replace(/\W+$/, '')) ?? new Map(), `${within}${name}.`);
    });
  const rows = [...actions].map(([name, members]) => `| \`${name}\` | ${unservedIn(members, '').join(', ')} |`);
  return `# Served actions

[The embedded EC2](embedded-ec2.md) serves these actions of EC2 and STS. It rejects all other EC2 actions with \`NotImplemented\`, and the
parameters in the right column with \`UnsupportedOperation\`. \`npm run generate\` writes this page from AWS's API model.

| action | parameters that are not served |
| --- | --- |
${rows.join('\n')}

It also serves all actions of the EBS direct APIs, with all parameters: ${ebs.map((name) => `\`${name}\``).join(', ')}.
`;
}
