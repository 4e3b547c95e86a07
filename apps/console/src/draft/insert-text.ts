/** At the cursor, in place of what is selected; it can be undone like typing. */
export function insertText(area: HTMLTextAreaElement, text: string, onChange: (value: string) => void): void {
  area.focus();
  // The only way that keeps the browser's undo. Where it does nothing, the value is set.
  if (document.execCommand('insertText', false, text)) return;
  area.setRangeText(text, area.selectionStart, area.selectionEnd, 'end');
  onChange(area.value);
}
