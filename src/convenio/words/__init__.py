"""English and Spanish: catalogues, and the sentence for each error code."""
