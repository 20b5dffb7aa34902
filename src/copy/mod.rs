//! F3: the copy engine: pairing (pure), transfer, recovery, verification of content.
