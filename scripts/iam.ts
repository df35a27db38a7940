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
  return `# IAM permissions

A run on AWS and its undo need these EC2 permissions. Give them to the instance profile of the build host, or to the user or role whose
credentials you set. \`npm run generate\` creates this page from what each kind declares, and a test compares the permissions with the
calls that runs make.

## An image from an image

The library \`chrootfile:image_from_image\` needs:

\`\`\`json
${policyOf(permissionsOf(base))}
\`\`\`

With \`volumes: direct\`, it needs these instead, and no EC2 instance:

\`\`\`json
${policyOf(permissionsOf(base, 'direct'))}
\`\`\`

An encrypted source, or one with another key, also needs the \`kms:\` actions below. \`ec2.host\` calls \`sts:GetCallerIdentity\`, which
needs no permission.

A run creates every resource with the tags \`chrootfile:run\`, \`chrootfile:task\`, \`chrootfile:host\` and \`chrootfile:state\`. EC2
checks \`ec2:CreateTags\` when a run creates a resource, and again at the end of a run. The run then changes the tag \`chrootfile:state\`
of everything it keeps from \`building\` to \`kept\`. A policy can therefore limit actions that change or delete volumes, snapshots and
images to resources with these tags. Snapshots of [layers](layers.md#on-aws) also have \`chrootfile:layer\` and \`chrootfile:layer-owner\`.

## Additional permissions by parameter

| kind | when | permissions |
| --- | --- | --- |
${features.join('\n')}

## Cleaning up after lost machines

\`chrootfile gc\` needs the permissions of the first line in each region it searches, and with \`--delete\` also those of the second line:

- \`ec2:DescribeImages\`, \`ec2:DescribeSnapshots\`, \`ec2:DescribeVolumes\`, \`ec2:DescribeInstances\`; with \`--regions all\` \`ec2:DescribeRegions\`
- \`ec2:DeregisterImage\`, \`ec2:DeleteSnapshot\`, \`ec2:DetachVolume\`, \`ec2:DeleteVolume\`

## Optional permissions

With \`sts:DecodeAuthorizationMessage\`, the message of a refused call names the policy that refused it. \`cloud.assume_role\` needs
\`sts:AssumeRole\`. For encryption, the policies of the KMS keys must allow the \`kms:\` actions above, too.
`;
}

/** The kinds of all tasks of a recipe. */
function kindsOf({ recipe }: Module): Set<KindDeclaration> {
  return new Set([...recipe.tasks.values()].flatMap(({ action }) => (action.type === 'kind' ? [action.kind] : [])));
}

function permissionsOf(some: readonly KindDeclaration[], volumes: 'attach' | 'direct' = 'attach'): string[] {
  const ofKind = ({ permissions, directPermissions }: KindDeclaration) =>
    (volumes === 'direct' ? directPermissions : undefined) ?? permissions?.['always'] ?? [];
  return [...new Set(some.flatMap(ofKind))].sort();
}

function policyOf(actions: readonly string[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }] }, undefined, 2);
}
