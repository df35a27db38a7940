/** The built-in libraries, by name, with a description. Their files are `recipes/lib/NAME.yml`. */
export const builtInLibraries: Readonly<Record<string, string>> = {
  amazon_chroot: "A new image with the options of Packer's amazon-chroot builder, in one region or in several.",
  ansible: 'Ansible playbooks, run on an image through the chroot connection.',
  cleanup: 'Deletes what should not be on an image: host keys, logs, caches, the machine id.',
  image_from_image: 'The chroot method: a new image from an existing one or from scratch.',
  pull: 'Copies an image from EC2 to the embedded EC2.',
  push: 'Copies an image of the embedded EC2 to EC2.',
};

/** The value of `recipe` for one of them, e.g. `chrootfile:cleanup`. */
export function builtInReference(name: string): string {
  return `chrootfile:${name}`;
}
