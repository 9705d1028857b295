"""What the retailer's own systems say: articles, prices, stock, customers, and allowance plans."""
