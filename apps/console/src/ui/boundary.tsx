import { Component, type ReactNode } from 'react';
import { Button } from './controls.tsx';

interface BoundaryProps {
  /** Another one begins anew: what broke on one page says nothing of the next. */
  readonly place: string;
  readonly children: ReactNode;
}

/** A defect of one page, or a part of it that is gone since a newer version is served, leaves the rest standing. */
export class Boundary extends Component<BoundaryProps, { readonly brokeAt: string | undefined }> {
  override state: { readonly brokeAt: string | undefined } = { brokeAt: undefined };

  override componentDidCatch(): void {
    this.setState({ brokeAt: this.props.place });
  }
  static getDerivedStateFromError(): { brokeAt: string } {
    return { brokeAt: '' };
  }

  override render(): ReactNode {
    const { brokeAt } = this.state;
    if (brokeAt === undefined || (brokeAt !== '' && brokeAt !== this.props.place)) return this.props.children;
    return (
      <div role="alert" className="rounded-lg border border-bad bg-panel px-4 py-3">
        <h1 className="font-medium text-bad">This page does not work as it should</h1>
        <p className="my-2">
          Campaigns go on as they were. A newer version of the console may be there since it was opened.
        </p>
        <Button onClick={() => location.reload()}>Load it again</Button>
      </div>
    );
  }
}
