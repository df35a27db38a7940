import { outlineOf } from '../src/cli/recipe_file.js';
import type { KindDeclaration } from '../src/dsl/recipe/kind.js';
import type { Module } from '../src/dsl/recipe/module.js';
import { kinds } from '../src/tasks/index.js';

/** docs/iam.md: what a run must be allowed, from what each kind declares. */
export function iam(): string {
  const base = [...kindsOf(outlineOf('recipes/lib/image_from_image.yml').module)];
  const features = kinds.flatMap((kind: KindDeclaration) =>
    Object.entries(kind.permissions ?? {}).flatMap(([when, actions]) => {
      const more = actions.filter((action) => !permissionsOf(base).includes(action));
      return more.length === 0
        ? []
        : [`| \`${kind.name}\` | ${when === 'always' ? 'always' : `\`${when}\``} | ${more.map((action) => `\`${action}\``).join(', ')} |`];
    }),
  );
  return `# Permissions

What a run must be allowed on EC2: made from what each kind declares, by \`npm run generate\`; a test compares it with the calls that
runs make. What undo calls is among it, so that whatever was begun can be taken back.

## From an image to an image

The library \`recipes/lib/image_from_image.yml\`:

\`\`\`json
${JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: permissionsOf(base), Resource: '*' }] }, undefined, 2)}
\`\`\`

\`ec2:CreateTags\` is asked for where things are tagged as they are made, and once at the end of a run, when the tag \`chrootfile:state\` of
what it keeps changes from \`building\` to \`kept\`. Everything has the tags \`chrootfile:run\`, \`chrootfile:task\`, \`chrootfile:host\` and
\`chrootfile:state\` from the beginning, so a condition may limit the other actions, and \`ec2:CreateTags\` without \`ec2:CreateAction\`, to things
with those.

## What more is needed, and when

| kind | when | permissions |
| --- | --- | --- |
${features.join('\n')}

## Cleaning up after lost machines

\`chrootfile gc\`, in each region it looks in; the last line is for \`--delete\`:

- \`ec2:DescribeImages\`, \`ec2:DescribeSnapshots\`, \`ec2:DescribeVolumes\`, \`ec2:DescribeInstances\`; with \`--regions all\` \`ec2:DescribeRegions\`
- \`ec2:DeregisterImage\`, \`ec2:DeleteSnapshot\`, \`ec2:DetachVolume\`, \`ec2:DeleteVolume\`

\`sts:DecodeAuthorizationMessage\` lets a refusal say which policy was in the way, and \`sts:AssumeRole\` is for
\`cloud.assume_role\`. The keys' own policies must allow what is asked of KMS.
`;
}

/** The kinds of all tasks of a recipe. */
function kindsOf({ recipe }: Module): Set<KindDeclaration> {
  return new Set([...recipe.tasks.values()].flatMap(({ action }) => (action.type === 'kind' ? [action.kind] : [])));
}

function permissionsOf(some: readonly KindDeclaration[]): string[] {
  return [...new Set(some.flatMap((kind) => kind.permissions?.['always'] ?? []))].sort();
}
