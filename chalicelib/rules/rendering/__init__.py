"""A rule in plain words: a whole document as Markdown (``markdown.render``), and the words for its parts."""
