/** A workflow command, escaped. Source: GitHub Actions, "Workflow commands"; its toolkit, `command.ts`. */
export function command(name: string, properties: Readonly<Record<string, string | number | undefined>>, message: string): string {
  const escaped = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  const given = Object.entries(properties).filter(([, value]) => value !== undefined);
  const list = given.map(([key, value]) => `${key}=${escaped(String(value)).replaceAll(':', '%3A').replaceAll(',', '%2C')}`).join(',');
  return `::${name}${list === '' ? '' : ` ${list}`}::${escaped(message)}`;
}
