import { durationPattern } from '../syntax/duration.js';
import { lockPattern, taskPattern } from '../syntax/lexical.js';

/** Source: KMS API reference, "KeyId" of DescribeKey. */
const kmsKey = '^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:)?(key/)?((mrk-)?[a-f0-9][a-f0-9-]*|alias/[A-Za-z0-9:/_-]+)$';
const kmsKeyWords = 'the id, the alias or the ARN of a KMS key, such as alias/images';

/** What a value must be, instead of the regular expression that tests it; by that expression. */
const words: Readonly<Record<string, string>> = {
  '^/': 'an absolute path, such as /srv/image',
  '^/dev/': 'a path below /dev, such as /dev/vdb',
  '^/dev/(sd|xvd)[a-z]+$': 'a device name of EC2, such as /dev/sdf',
  '^(/dev/)?[a-z0-9]+$': 'a device name, such as /dev/xvda',
  '^vol-[0-9a-f]+$': 'the id of a volume, such as vol-0123456789abcdef0',
  '^snap-[0-9a-f]+$': 'the id of a snapshot, such as snap-0123456789abcdef0',
  '^ami-[0-9a-f]+$': 'the id of an image, such as ami-0123456789abcdef0',
  '^i-[0-9a-f]+$': 'the id of an instance, such as i-0123456789abcdef0',
  '^[0-7]{3,4}$': 'a file mode in quotes, such as "0644"',
  '^[0-9]{12}$': 'an account id of 12 digits, in quotes',
  '^(bios|esp|linux|root|boot|swap|home|lvm|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$':
    'bios, esp, linux, root, boot, swap, home, lvm, or the GUID of a partition type',
  '^[0-9]+(MiB|GiB|TiB)$': 'a size with the unit MiB, GiB or TiB, such as 512MiB',
  '^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)?$': 'a user, or a user and a group, such as root:root',
  [kmsKey]: kmsKeyWords,
  [`^$|${kmsKey}`]: kmsKeyWords,
  [durationPattern]: 'a duration, such as 500ms, 90s, 20m or 2h',
  [taskPattern]: 'the name of a task',
  [lockPattern]: 'letters, digits and . _ -, beginning with a letter or digit',
  '^[A-Za-z0-9][A-Za-z0-9_-]*$': 'letters, digits and - _, beginning with a letter or digit',
  "^[A-Za-z0-9()\\[\\] ./\\-'@_]{3,128}$": "3 to 128 letters, digits, spaces and ( ) [ ] . / - ' @ _",
  '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z$': 'a time in UTC, such as 2027-06-30T12:00:00Z',
};

/** What a value that does not fit a regular expression must be, in words; undefined if only its description says so. */
export function patternWords(pattern: string): string | undefined {
  return Object.hasOwn(words, pattern) ? words[pattern] : undefined;
}
