"""URLs of the pages that need facts only."""

from django.urls import path

from catalog import views

urlpatterns = [
    path("products/", views.products, name="products"),
    path("art/<path:external_id>.svg", views.art, name="art"),
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("theme/", views.theme, name="theme"),
]
