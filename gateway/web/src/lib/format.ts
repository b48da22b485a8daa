// Numbers as people read them, in the same units as the command line.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.round(value * 10) / 10 >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

export function rate(bytesPerSecond: number): string {
  return `${size(bytesPerSecond)}/s`;
}

export function percent(share: number): string {
  // Only what is complete may say 100.
  const shown = share >= 1 ? 100 : Math.min(99.9, share * 100);
  return `${shown === 0 || shown === 100 ? shown : shown.toFixed(1)} %`;
}

export function duration(seconds: number): string {
  if (seconds < 1) return "under 1 s";
  const whole = Math.round(seconds);
  const days = Math.floor(whole / 86400);
  const hours = Math.floor((whole % 86400) / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  if (minutes > 0) return `${minutes} min ${whole % 60} s`;
  return `${whole} s`;
}

const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** A time in RFC 3339, or in milliseconds since 1970; none is nothing. */
export function moment(time: string | number | null): string {
  const date = new Date(time ?? NaN);
  return time === 0 || Number.isNaN(date.getTime()) ? "" : MOMENT.format(date);
}

/** The time of a day, from milliseconds since 1970. */
export function clock(time: number): string {
  return CLOCK.format(time);
}

const PRECISE = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false,
});

/** The time of a day to the millisecond, from milliseconds since 1970. */
export function preciseClock(time: number): string {
  return PRECISE.format(time);
}

/** How often something comes. */
export function frequency(perSecond: number, unit = true): string {
  const digits = perSecond > 0 && perSecond < 10 ? 1 : 0;
  const number = perSecond.toLocaleString(undefined, { maximumFractionDigits: digits, minimumFractionDigits: digits });
  return unit ? `${number} a second` : number;
}

export function count(number: number, singular: string, plural: string = `${singular}s`): string {
  return `${number.toLocaleString()} ${number === 1 ? singular : plural}`;
}

export function score(value: number): string {
  return value.toFixed(2);
}

export function signed(value: number): string {
  // What rounds to nothing has no minus.
  return `${value <= -0.00005 ? "−" : "+"}${Math.abs(value).toFixed(4)}`;
}

export function shortId(id: string): string {
  return id.slice(0, 8);
}

/** What a peer calls itself, or the start of its id. */
export function peerName(id: string, name: string | undefined): string {
  return name ? name : shortId(id);
}
