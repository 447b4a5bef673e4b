"""Paths of the catalogue's endpoints, below the version."""

from django.urls import path

from catalog.api import event_views, views

# An external id may hold a slash, so what follows one must be matched before it is.
urlpatterns = [
    path("products", views.ProductsView.as_view()),
    path("products/<path:external_id>", views.ProductView.as_view()),
    path("categories", views.CategoriesView.as_view()),
    path("event-types", views.EventTypesView.as_view()),
    path("events", event_views.EventsView.as_view()),
    path("shoppers/<path:external_id>", views.ShopperView.as_view()),
]
