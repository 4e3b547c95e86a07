import type { ReactNode, TdHTMLAttributes, ThHTMLAttributes } from 'react';

/** A table that scrolls in its own box on narrow screens; the box can be reached by keyboard. */
export const Table = ({ label, children }: { label: string; children: ReactNode }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
  <section aria-label={label} tabIndex={0} className="relative overflow-x-auto rounded-lg border border-line bg-panel">
    <table className="w-full border-collapse text-sm">
      <caption className="sr-only">{label}</caption>
      {children}
    </table>
  </section>
);
const HEAD = 'border-b border-line px-3 py-2 font-medium whitespace-nowrap text-soft';
export const Th = ({ className = '', ...rest }: ThHTMLAttributes<HTMLTableCellElement>) => (
  <th scope="col" {...rest} className={`${HEAD} text-start ${className}`} />
);
export const Td = ({ className = '', ...rest }: TdHTMLAttributes<HTMLTableCellElement>) => (
  <td {...rest} className={`border-b border-line px-3 py-2 align-top ${className}`} />
);
/** Of figures: under each other. */
export const NumTh = ({ className = '', ...rest }: ThHTMLAttributes<HTMLTableCellElement>) => (
  <th scope="col" {...rest} className={`${HEAD} text-end ${className}`} />
);
export const NumTd = ({ className = '', ...rest }: TdHTMLAttributes<HTMLTableCellElement>) => (
  <Td {...rest} className={`num text-end whitespace-nowrap ${className}`} />
);
