"""What every floor agrees on: errors, moments, tables, feature vectors and the project file."""
