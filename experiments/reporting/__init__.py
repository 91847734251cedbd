"""What came out: tables, figures, and the authors' published numbers beside ours."""
