"""This program with its default model and recipe, as `forecast train` has them."""

from contenders.contest import main
from contenders.product import Product

if __name__ == "__main__":
    main(Product(default=True))
