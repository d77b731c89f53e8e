"""From a source to windows: reading, checking, splitting, scaling, windowing."""
